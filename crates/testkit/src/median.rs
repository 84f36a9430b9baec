//! Medians of measurements.

use std::fmt;

/// The median of the rounds of one measurement, with the least and the greatest value.
#[derive(Clone, Copy, Debug)]
pub struct Median {
    /// The median. For an even number of values it is the greater of the middle two.
    pub median: f64,
    least: f64,
    most: f64,
}

impl Median {
    /// The median of these values; None if there are no values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

impl fmt::Display for Median {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median >= 100.0 { 0 } else { 2 };
        let Self {
            median,
            least,
            most,
        } = self;
        write!(f, "{median:.digits$}")?;
        if least < most {
            write!(f, " ({least:.digits$} to {most:.digits$})")?;
        }
        Ok(())
    }
}
