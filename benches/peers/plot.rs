//! A page of plots in one file.

use std::fmt::Write;

use super::table::{Table, FIGURES};

/// How the names of the loads of the two series begin. The number on the axis follows.
pub const SUBSCRIBERS: &str = "subscribers";
pub const SIZE: &str = "bytes";

const COLOURS: [&str; 5] = ["#c1272d", "#0000a7", "#008176", "#b3600c", "#555555"];
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 60.0;

pub fn page(table: &Table) -> String {
    let mut page = String::from(
        "<!doctype html><meta charset=utf-8><title>greeter-stream beside its peers</title>\
         <style>body{font-family:sans-serif;max-width:60em;margin:auto}\
         pre{overflow:auto;font-size:80%}</style><h1>greeter-stream beside its peers</h1>",
    );
    let cpu = 1;
    for (title, series, figure) in [
        (
            "Server CPU for a delivered message, us, by subscribers",
            SUBSCRIBERS,
            cpu,
        ),
        (
            "Server CPU for a message of GetStream, us, by its bytes",
            SIZE,
            cpu,
        ),
    ] {
        page += &plot(table, title, series, figure);
    }
    for (figure, (title, path)) in FIGURES.iter().enumerate() {
        if path.starts_with("/latency_us") {
            page += &bars(table, title, figure);
        }
    }
    let text = table.to_string().replace('&', "&amp;").replace('<', "&lt;");
    page + "<h2>Medians (least to most)</h2><pre>" + &text + "</pre>"
}

/// A line for each server over the loads of a series, both axes logarithmic.
fn plot(table: &Table, title: &str, series: &str, figure: usize) -> String {
    let points = |server: usize| -> Vec<(f64, f64)> {
        let loads = table.loads.iter().enumerate();
        let points = loads.filter_map(|(load, name)| {
            let x = name.strip_prefix(series)?.trim().parse().ok()?;
            Some((x, table.cell(load, figure, server)?.median))
        });
        points.collect()
    };
    let all: Vec<_> = (0..table.servers.len()).map(points).collect();
    let flat = || all.iter().flatten();
    let Some(x) = Axis::of(flat().map(|(x, _)| *x)) else {
        return String::new();
    };
    let Some(y) = Axis::of(flat().map(|(_, y)| *y)) else {
        return String::new();
    };
    let place = |(px, py): &(f64, f64)| {
        let across = MARGIN + x.part(*px) * (WIDTH - 2.0 * MARGIN);
        let down = HEIGHT - MARGIN - y.part(*py) * (HEIGHT - 2.0 * MARGIN);
        (across, down)
    };
    let mut svg = format!("<h2>{title}</h2><svg width={WIDTH} height={HEIGHT}>");
    for (server, points) in all.iter().enumerate() {
        let colour = COLOURS[server % COLOURS.len()];
        let mut line = String::new();
        for point in points {
            let (across, down) = place(point);
            let _ = write!(line, "{across:.1},{down:.1} ");
            let _ = write!(
                svg,
                "<circle cx={across:.1} cy={down:.1} r=3 fill={colour}>\
                 <title>{}: {:.2}</title></circle>",
                point.0, point.1
            );
        }
        let _ = write!(
            svg,
            "<polyline points='{line}' fill=none stroke={colour} stroke-width=2 />\
             <text x={:.0} y={:.0} fill={colour}>{}</text>",
            WIDTH - MARGIN + 5.0,
            MARGIN + 18.0 * server as f64,
            table.servers[server]
        );
    }
    for (value, _) in all.first().into_iter().flatten() {
        let (across, _) = place(&(*value, y.least));
        let _ = write!(
            svg,
            "<text x={across:.1} y={:.0} text-anchor=middle font-size=12>{value}</text>",
            HEIGHT - MARGIN + 20.0
        );
    }
    for value in [y.least, (y.least * y.most).sqrt(), y.most] {
        let (_, down) = place(&(x.least, value));
        let _ = write!(
            svg,
            "<text x={:.0} y={down:.1} text-anchor=end font-size=12>{value:.2}</text>\
             <line x1={MARGIN} x2={:.0} y1={down:.1} y2={down:.1} stroke=#ddd />",
            MARGIN - 5.0,
            WIDTH - MARGIN
        );
    }
    svg + "</svg>"
}

/// A logarithmic axis.
struct Axis {
    least: f64,
    most: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let least = values.clone().min_by(f64::total_cmp)?;
        let most = values.max_by(f64::total_cmp)?;
        Some(Self { least, most })
    }

    /// Where a value is, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        if self.most > self.least {
            (value / self.least).ln() / (self.most / self.least).ln()
        } else {
            0.5
        }
    }
}

/// A bar for each server under each load that has the figure.
fn bars(table: &Table, title: &str, figure: usize) -> String {
    let mut html = format!("<h2>Latency, {title}</h2><table>");
    for (load, name) in table.loads.iter().enumerate() {
        let cells: Vec<_> = (0..table.servers.len())
            .map(|server| table.cell(load, figure, server))
            .collect();
        let most = cells.iter().flatten().map(|c| c.median).fold(0.0, f64::max);
        if most == 0.0 || name.starts_with(SUBSCRIBERS) {
            continue;
        }
        for (server, cell) in cells.iter().enumerate() {
            let Some(cell) = cell else { continue };
            let width = cell.median / most * 400.0;
            let colour = COLOURS[server % COLOURS.len()];
            let name = if server == 0 { name.as_str() } else { "" };
            let _ = write!(
                html,
                "<tr><td>{name}<td>{}<td><div style='background:{colour};width:{width:.0}px;\
                 height:1em'></div><td>{cell}",
                table.servers[server]
            );
        }
    }
    html + "</table>"
}
