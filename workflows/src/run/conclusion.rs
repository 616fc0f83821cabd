use std::fmt;

use serde::{Deserialize, Serialize};

/// How something ended, in GitHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    Success,
    /// A step failed, a gate found a regression, or a workflow file is wrong.
    Failure,
    /// There is nothing to object to and nothing to praise: a gate that cannot tell.
    Neutral,
    Cancelled,
    Skipped,
    TimedOut,
    ActionRequired,
}

impl Conclusion {
    /// As GitHub's API and the expression language spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Conclusion::Success => "success",
            Conclusion::Failure => "failure",
            Conclusion::Neutral => "neutral",
            Conclusion::Cancelled => "cancelled",
            Conclusion::Skipped => "skipped",
            Conclusion::TimedOut => "timed_out",
            Conclusion::ActionRequired => "action_required",
        }
    }

    /// Whether a required check that ends so lets a pull request merge, as on GitHub.
    pub fn passes(self) -> bool {
        match self {
            Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped => true,
            Conclusion::Failure | Conclusion::Cancelled | Conclusion::TimedOut | Conclusion::ActionRequired => false,
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
