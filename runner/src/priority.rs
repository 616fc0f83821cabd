//! How the threads that help a model stand to the model's own.

use rustix::process::nice;

/// A thread's priority among those of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// The process's.
    Usual,
    /// A third of the time of one of the model's threads, where both want the same processor.
    Behind,
}

/// Steps of the kernel's niceness: each is a quarter more or less.
const STEPS: i32 = 5;

impl Priority {
    /// Of what reads and digests while sessions of so many threads answer. The threads of one session wait for each other
    /// at every operator: who holds one of them up holds up all.
    pub(crate) fn beside(threads: u32) -> Self {
        if threads > 1 { Priority::Behind } else { Priority::Usual }
    }

    /// Gives it to the calling thread, for good. Where the kernel refuses, it stays as it was.
    pub(crate) fn take(self) {
        match self {
            Priority::Usual => {}
            // On Linux a priority is a thread's, whatever POSIX says.
            Priority::Behind => _ = nice(STEPS),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn only_the_thread_that_takes_it_stands_behind() {
        let niceness = || getpriority_process(None).unwrap();
        let taken = |priority: Priority| {
            let thread = thread::spawn(move || {
                priority.take();
                getpriority_process(None).unwrap()
            });
            thread.join().unwrap()
        };
        let usual = niceness();
        assert_eq!(taken(Priority::beside(1)), usual);
        // 19 is the last.
        assert_eq!(taken(Priority::beside(2)), (usual + STEPS).min(19));
        assert_eq!(niceness(), usual);
    }
}
