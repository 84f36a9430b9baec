//! The log filter of the programs: `RUST_LOG`, in which `greeter_stream` stands for all crates of
//! this workspace.

use super::environment::variable;

/// The other crates of this workspace.
const CRATES: [&str; 4] = [
    "grpcio_credentials",
    "grpcio_serve",
    "grpcio_streams",
    "topic_log",
];

/// The directives of the environment variable `RUST_LOG`, or `default` if it is not set
/// or is empty.
pub fn log_filter(default: &str) -> String {
    expanded(variable("RUST_LOG").as_deref().unwrap_or(default))
}

/// Adds directives that give the other crates the level of `greeter_stream`. They come first,
/// because the last directive for a name counts: a directive that names one of these crates stays
/// in force.
fn expanded(directives: &str) -> String {
    let directives_only = directives.split('/').next().unwrap_or_default();
    let ours = directives_only.split(',').filter_map(|directive| {
        let level = directive.trim().strip_prefix("greeter_stream")?;
        (level.is_empty() || level.starts_with('=')).then_some(level)
    });
    let others = ours.flat_map(|level| CRATES.map(|name| format!("{name}{level},")));
    others.collect::<String>() + directives
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_stands_for_all_crates() {
        let debug: String = CRATES.map(|name| format!("{name}=debug,")).concat();
        for (given, expected) in [
            ("warn", "warn".to_owned()),
            (
                "greeter_stream::client=debug",
                "greeter_stream::client=debug".to_owned(),
            ),
            (
                "warn,greeter_stream=debug",
                format!("{debug}warn,greeter_stream=debug"),
            ),
            (
                "greeter_stream=debug/a=b",
                format!("{debug}greeter_stream=debug/a=b"),
            ),
        ] {
            assert_eq!(expanded(given), expected);
        }
    }
}
