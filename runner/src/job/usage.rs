//! What a job's processes use, sampled while a step runs.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;
use workflows::protocol::{GpuSample, TelemetrySample};

use crate::{gpu::Nvml, process::tree};

/// The last reading, from which a rate is made.
#[derive(Debug, Default)]
pub(super) struct Usage {
    last: Option<(Instant, u64)>,
}

/// How long to wait after a sample: a short step wants detail, a long one must not fill the store.
pub(super) fn pause(running_for: Duration) -> Duration {
    match running_for.as_secs() {
        0..60 => Duration::from_secs(1),
        60..600 => Duration::from_secs(5),
        _ => Duration::from_secs(15),
    }
}

impl Usage {
    /// Forgets the last reading: the next process tree is another one.
    pub(super) fn restart(&mut self) {
        self.last = None;
    }

    /// Looks at the tree below `root`, at all processes with the tracking id `mark`, and at the job's GPUs.
    pub(super) async fn sample(
        &mut self,
        root: u32,
        mark: Option<String>,
        monitor: Option<Arc<Nvml>>,
        gpus: Vec<u32>,
    ) -> Option<TelemetrySample> {
        // Reading /proc of a busy machine and asking a driver both take milliseconds.
        let (processes, gpus) = tokio::task::spawn_blocking(move || {
            let all = tree::snapshot();
            let mut below = tree::descendants(root, &all);
            if let Some(mark) = mark {
                let marked = tree::tracked(&mark);
                let known: Vec<u32> = below.iter().map(|process| process.pid).collect();
                below.extend(all.into_iter().filter(|each| marked.contains(&each.pid) && !known.contains(&each.pid)));
            }
            (below, gpu_samples(monitor.as_deref(), &gpus))
        })
        .await
        .ok()?;
        let now = Instant::now();
        let ticks: u64 = processes.iter().map(|process| process.cpu_ticks).sum();
        let rss_bytes = processes.iter().map(|p| p.rss_pages).sum::<u64>() * rustix::param::page_size() as u64;
        let before = self.last.replace((now, ticks));
        let cpu_percent = before.map_or(0.0, |(at, before)| {
            let seconds = now.duration_since(at).as_secs_f64();
            let used = ticks.saturating_sub(before) as f64 / rustix::param::clock_ticks_per_second() as f64;
            if seconds > 0.0 { (100.0 * used / seconds) as f32 } else { 0.0 }
        });
        Some(TelemetrySample { at: Timestamp::now(), cpu_percent, rss_bytes, gpus })
    }
}

fn gpu_samples(monitor: Option<&Nvml>, gpus: &[u32]) -> Vec<GpuSample> {
    gpus.iter().filter_map(|index| monitor?.sample(*index)).collect()
}
