//! Tables in Markdown.

use std::fmt::Display;

use testkit::median::Median;

use super::store::Store;

pub fn row(cells: &[impl Display]) {
    let cells: Vec<_> = cells.iter().map(|cell| format!(" {cell} |")).collect();
    println!("|{}", cells.concat());
}

pub fn head(columns: &[impl Display]) {
    row(columns);
    println!("|{}", "---|".repeat(columns.len()));
}

/// Prints the head of a table with a column for each store, and a column for how each other store
/// compares with the first.
pub fn head_of_stores(title: &str, stores: &[Store]) {
    let mut columns = vec![title.to_owned()];
    columns.extend(stores.iter().map(ToString::to_string));
    let others = stores.iter().skip(1);
    columns.extend(others.map(|store| format!("{store} : {}", stores[0])));
    head(&columns);
}

/// Prints a row of such a table from the results of the runs of each store.
pub fn row_of_stores(title: &str, runs: Vec<Vec<f64>>) {
    let medians: Vec<_> = runs.into_iter().map(median).collect();
    let ratio = |other: &Median| format!("{:.2}", other.median / medians[0].median);
    let mut cells = cells(title, &medians);
    cells.extend(medians.iter().skip(1).map(ratio));
    row(&cells);
}

/// The same without the comparison, for figures that may be zero.
pub fn row_without_ratios(title: &str, runs: Vec<Vec<f64>>) {
    let medians: Vec<_> = runs.into_iter().map(median).collect();
    row(&cells(title, &medians));
}

fn cells(title: &str, medians: &[Median]) -> Vec<String> {
    let title = std::iter::once(title.to_owned());
    title
        .chain(medians.iter().map(ToString::to_string))
        .collect()
}

pub fn median(runs: Vec<f64>) -> Median {
    Median::of(runs).expect("at least one run")
}
