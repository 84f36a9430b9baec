//! Times as people write them.

use std::time::Duration;

/// The longest time that a flag takes: 100 years. The clocks below can add it to any time that they
/// show.
const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// A time such as `500ms`, `2s` or `1m`.
///
/// # Errors
///
/// When the text is not a time, or the time is longer than 100 years.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if time > LONGEST {
        return Err("is longer than 36500days, the longest time there is".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_to_100_years() {
        assert_eq!(time("0s"), Ok(Duration::ZERO));
        assert_eq!(time("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("36500days"), Ok(LONGEST));
        for wrong in [
            "36501days",
            "9223372036854775808s",
            "18446744073709551616s",
            "-1s",
            "1",
            "",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
