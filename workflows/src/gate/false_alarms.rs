//! How often the gate cries wolf, as its self-checks measured it.

use serde::{Deserialize, Serialize};

use super::{Defaults, stats::share::clopper_pearson};

/// How often the gate cried wolf.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FalseAlarms {
    pub alarms: u64,
    /// Self-checks.
    pub of: u64,
    /// Clopper and Pearson's 95 % interval of the true rate.
    pub interval: (f64, f64),
    /// What the gate declares: at most so often. The mean of the checks' alphas, where the policy changed.
    pub declared: f64,
    pub standing: Standing,
}

/// What the self-checks say of the declared rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "standing")]
pub enum Standing {
    Unmeasured,
    /// The whole interval is at or below what is declared.
    Kept,
    /// The interval holds what is declared. With `enough` self-checks and no further alarm it would not.
    Open {
        enough: u64,
    },
    /// The whole interval is above what is declared.
    Broken,
}

impl FalseAlarms {
    /// `checks`: for each its alpha, and whether it was a false alarm.
    pub fn of(checks: impl Iterator<Item = (f64, bool)>) -> Self {
        let (mut alarms, mut of, mut alphas) = (0, 0, 0.0);
        for (alpha, alarm) in checks {
            (alarms, of, alphas) = (alarms + u64::from(alarm), of + 1, alphas + alpha);
        }
        if of == 0 {
            let (interval, declared) = ((0.0, 1.0), Defaults::default().alpha);
            return Self { alarms, of, interval, declared, standing: Standing::Unmeasured };
        }
        let (interval, declared) = (clopper_pearson(alarms, of, MISSED), alphas / of as f64);
        let standing = match interval {
            (low, _) if low > declared => Standing::Broken,
            (_, high) if high <= declared => Standing::Kept,
            _ => Standing::Open { enough: enough(alarms, of, declared) },
        };
        Self { alarms, of, interval, declared, standing }
    }

    /// Of the self-checks, the share that were false alarms; none where there were none.
    pub fn rate(&self) -> Option<f64> {
        (self.of > 0).then(|| self.alarms as f64 / self.of as f64)
    }
}

/// Probability with which the interval of a rate may miss it.
const MISSED: f64 = 0.05;

/// The fewest self-checks with so many alarms whose interval is at or below `declared`.
fn enough(alarms: u64, of: u64, declared: f64) -> u64 {
    let shows = |n: u64| clopper_pearson(alarms, n, MISSED).1 <= declared;
    let (mut few, mut many) = (of, of.max(1) * 2);
    while !shows(many) {
        (few, many) = (many, many * 2);
    }
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        if shows(middle) { many = middle } else { few = middle }
    }
    many
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_told_with_what_it_can_tell() {
        let of = |alarms: u64, of: u64| FalseAlarms::of((0..of).map(|n| (0.05, n < alarms)));
        assert_eq!(of(0, 0).standing, Standing::Unmeasured);
        // 1 − 0.025^(1/n) ≤ 0.05 from n = 72 on.
        assert_eq!(of(0, 10).standing, Standing::Open { enough: 72 });
        assert_eq!(of(0, 71).standing, Standing::Open { enough: 72 });
        assert_eq!(of(0, 72).standing, Standing::Kept);
        assert_eq!(of(3, 400).standing, Standing::Kept);
        assert_eq!(of(20, 100).standing, Standing::Broken);
        assert!(matches!(of(6, 100).standing, Standing::Open { enough } if enough > 100));
    }
}
