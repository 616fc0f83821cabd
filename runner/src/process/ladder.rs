//! How a step is asked to stop, ever more firmly: GitHub's times (actions/runner, ProcessInvoker).

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

/// After SIGINT.
const INTERRUPT_GRACE: Duration = Duration::from_millis(7_500);
/// After SIGTERM.
const TERMINATE_GRACE: Duration = Duration::from_millis(2_500);

/// SIGINT at once, SIGTERM 7.5 s later, SIGKILL 2.5 s after that.
#[derive(Debug, Default)]
pub struct Ladder {
    rung: Rung,
}

#[derive(Debug, Default, Clone, Copy)]
enum Rung {
    /// Nobody asked.
    #[default]
    Ground,
    Begun,
    Interrupted(Instant),
    Terminated(Instant),
    Killed,
}

impl Ladder {
    /// From now on [`Ladder::next`] gives signals.
    pub fn begin(&mut self) {
        if let Rung::Ground = self.rung {
            self.rung = Rung::Begun;
        }
    }

    pub fn has_begun(&self) -> bool {
        !matches!(self.rung, Rung::Ground)
    }

    /// Waits until the next signal is due; for ever where none is.
    pub async fn next(&mut self) -> Signal {
        match self.rung {
            Rung::Ground | Rung::Killed => std::future::pending().await,
            Rung::Begun => {
                self.rung = Rung::Interrupted(Instant::now());
                Signal::INT
            }
            Rung::Interrupted(at) => {
                tokio::time::sleep_until(at + INTERRUPT_GRACE).await;
                self.rung = Rung::Terminated(Instant::now());
                Signal::TERM
            }
            Rung::Terminated(at) => {
                tokio::time::sleep_until(at + TERMINATE_GRACE).await;
                self.rung = Rung::Killed;
                Signal::KILL
            }
        }
    }
}
