//! What else went on while a block was measured: other processes, throttling, changed clocks.

use std::{collections::BTreeSet, fs};

use crate::{
    gpu::{GpuState, Nvml},
    onnx::facts::physical_index,
};

/// The device at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Moment {
    /// Ticks in which the machine's processors worked, and in all.
    pub busy_ticks: u64,
    pub all_ticks: u64,
    /// Ticks of this process.
    pub own_ticks: u64,
    /// Ticks that a hypervisor gave to others.
    pub stolen_ticks: u64,
    pub gpu: Option<GpuState>,
}

/// Others may use this share of the processors before a block counts as disturbed.
const OTHERS_SHARE: f64 = 0.10;
/// Clocks that differ by more than this share between a block's ends.
const CLOCK_SHARE: f64 = 0.05;

/// What disturbed a block between two moments, a sentence each.
pub(super) fn disturbances(before: &Moment, after: &Moment) -> Vec<String> {
    let mut found = Vec::new();
    let all = after.all_ticks.saturating_sub(before.all_ticks) as f64;
    let busy = after.busy_ticks.saturating_sub(before.busy_ticks);
    let own = after.own_ticks.saturating_sub(before.own_ticks);
    // A block of a few ticks says nothing about shares.
    if all >= 20.0 {
        let others = busy.saturating_sub(own) as f64 / all;
        if others > OTHERS_SHARE {
            found.push(format!("other processes used {:.0} % of the processors", 100.0 * others));
        }
        let stolen = after.stolen_ticks.saturating_sub(before.stolen_ticks) as f64 / all;
        if stolen > OTHERS_SHARE {
            found.push(format!("the hypervisor gave {:.0} % of the processors to others", 100.0 * stolen));
        }
    }
    if let (Some(before), Some(after)) = (&before.gpu, &after.gpu) {
        let strangers: BTreeSet<u32> = before.strangers.iter().chain(&after.strangers).copied().collect();
        if !strangers.is_empty() {
            let list: Vec<String> = strangers.iter().map(u32::to_string).collect();
            found.push(format!("other processes computed on the GPU: {}", list.join(", ")));
        }
        let throttled: BTreeSet<&String> = before.throttled.iter().chain(&after.throttled).collect();
        if !throttled.is_empty() {
            let list: Vec<&str> = throttled.into_iter().map(String::as_str).collect();
            found.push(format!("the GPU was slowed down: {}", list.join(", ")));
        }
        if let (Some(from), Some(to)) = (before.sm_clock_mhz, after.sm_clock_mhz)
            && f64::from(from.abs_diff(to)) > CLOCK_SHARE * f64::from(from.max(to))
        {
            found.push(format!("the GPU's clock went from {from} to {to} MHz"));
        }
    }
    found
}

/// Looks at the machine and, where one is measured, at its GPU.
pub(super) struct Watch {
    gpu: Option<(Nvml, u32)>,
}

impl Watch {
    /// `device` counts what the process may see.
    pub(super) fn new(device: Option<u32>) -> Self {
        let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
        let index = device.and_then(|device| physical_index(visible.as_deref(), device));
        Self { gpu: index.and_then(|index| Some((Nvml::load().ok()?, index))) }
    }

    pub(super) fn look(&self) -> Moment {
        let (busy_ticks, all_ticks, stolen_ticks) =
            processor_ticks(&fs::read_to_string("/proc/stat").unwrap_or_default());
        let own_ticks = own_ticks(&fs::read_to_string("/proc/self/stat").unwrap_or_default());
        Moment {
            busy_ticks,
            all_ticks,
            own_ticks,
            stolen_ticks,
            gpu: self.gpu.as_ref().and_then(|(nvml, index)| nvml.state(*index)),
        }
    }
}

/// Busy, all and stolen ticks of all processors, from `/proc/stat` (see proc_stat(5)).
fn processor_ticks(stat: &str) -> (u64, u64, u64) {
    let fields: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or(0);
    // user, nice, system, irq, softirq; guests are in user already.
    let busy = field(0) + field(1) + field(2) + field(5) + field(6);
    let (idle, stolen) = (field(3) + field(4), field(7));
    (busy, busy + idle + stolen, stolen)
}

/// User and system ticks of this process, its ended threads included, from `/proc/self/stat`.
fn own_ticks(stat: &str) -> u64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// The most memory that this process has held at once.
pub(super) fn peak_memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(busy: u64, own: u64, all: u64) -> Moment {
        Moment { busy_ticks: busy, own_ticks: own, all_ticks: all, stolen_ticks: 0, gpu: None }
    }

    #[test]
    fn a_busy_neighbour_is_a_disturbance_and_our_own_work_is_none() {
        assert!(disturbances(&moment(100, 50, 1000), &moment(200, 150, 1200)).is_empty());
        let found = disturbances(&moment(100, 50, 1000), &moment(300, 150, 1200));
        assert_eq!(found, ["other processes used 50 % of the processors"]);
        assert!(disturbances(&moment(0, 0, 0), &moment(9, 0, 10)).is_empty(), "too short to tell");
        let stolen = Moment { stolen_ticks: 60, ..moment(0, 0, 200) };
        assert_eq!(disturbances(&moment(0, 0, 0), &stolen), ["the hypervisor gave 30 % of the processors to others"]);
    }

    #[test]
    fn a_gpu_that_is_shared_slowed_or_clocked_otherwise_is_disturbed() {
        let gpu = |clock, throttled: &[&str], strangers: &[u32]| Moment {
            gpu: Some(GpuState {
                sm_clock_mhz: Some(clock),
                throttled: throttled.iter().map(|reason| (*reason).to_owned()).collect(),
                strangers: strangers.to_vec(),
                ..GpuState::default()
            }),
            ..Moment::default()
        };
        assert!(disturbances(&gpu(1980, &[], &[]), &gpu(1965, &[], &[])).is_empty());
        let found = disturbances(&gpu(1980, &[], &[7]), &gpu(1500, &["HW_SLOWDOWN"], &[7]));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].ends_with(": 7") && found[1].ends_with("HW_SLOWDOWN") && found[2].contains("1980 to 1500"));
    }

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(processor_ticks("cpu  10 1 5 100 4 2 3 6 9 0\ncpu0 1 1"), (21, 131, 6));
        assert_eq!(own_ticks("42 (a) b) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0"), 42);
        assert!(own_ticks(&fs::read_to_string("/proc/self/stat").unwrap()) < u64::MAX);
        assert!(peak_memory_bytes().unwrap() > 1 << 20);
    }
}
