use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;

/// What time it is: the system's, or what whoever started the server says.
///
/// Leases are not measured by it but by the store engine's `now()`, which all servers share.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    #[default]
    System,
    Manual(Arc<ManualClock>),
}

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock {
    milliseconds: AtomicI64,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { milliseconds: AtomicI64::new(now.as_millisecond()) })
    }

    pub fn advance(&self, by: std::time::Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.milliseconds.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
            Clock::System => Timestamp::now(),
            Clock::Manual(clock) => {
                let milliseconds = clock.milliseconds.load(Ordering::SeqCst);
                Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
            }
        }
    }
}
