//! Medians of what was measured.

use std::fmt;

/// Of the rounds of one measurement.
#[derive(Clone, Copy, Debug)]
pub struct Median {
    pub median: f64,
    least: f64,
    most: f64,
}

impl Median {
    /// None of no rounds.
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
        let digits = match self.median {
            median if median >= 100.0 => 0,
            _ => 2,
        };
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
