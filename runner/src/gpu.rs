//! NVIDIA GPUs through NVML, found at run time. A machine without it has no GPU and that is no error.

use std::ffi::OsStr;

use nvml_wrapper::{
    Nvml as Library,
    bitmasks::device::ThrottleReasons,
    enum_wrappers::device::{Clock, TemperatureSensor},
    enums::device::UsedGpuMemory,
    error::NvmlError,
};
use workflows::protocol::{GpuFacts, GpuSample};

/// A GPU at one moment, as a benchmark wants to know it. What the driver does not tell is none or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GpuState {
    pub sm_clock_mhz: Option<u32>,
    pub memory_clock_mhz: Option<u32>,
    pub temperature_c: Option<u32>,
    /// Why it is slower than it could be, in NVML's words; idling and set clocks do not count.
    pub throttled: Vec<String>,
    /// Processes that compute on it beside this one.
    pub strangers: Vec<u32>,
    /// Of this process on the device.
    pub memory_bytes: Option<u64>,
}

/// The driver's library, loaded.
pub struct Nvml {
    library: Library,
}

impl Nvml {
    /// Loads it; the error says why there is none.
    pub fn load() -> Result<Self, String> {
        Library::init().map(|library| Self { library }).map_err(|e| e.to_string())
    }

    /// Loads it from a certain file.
    pub fn load_from(path: &OsStr) -> Result<Self, String> {
        Library::builder().lib_path(path).init().map(|library| Self { library }).map_err(|e| e.to_string())
    }

    /// The machine's GPUs. One that cannot be asked is left out.
    pub fn facts(&self) -> Vec<GpuFacts> {
        let driver = self.library.sys_driver_version().unwrap_or_default();
        let fact = |index: u32| -> Result<GpuFacts, NvmlError> {
            let device = self.library.device_by_index(index)?;
            Ok(GpuFacts {
                index,
                name: device.name()?,
                uuid: device.uuid().unwrap_or_default(),
                memory_bytes: device.memory_info()?.total,
                driver: driver.clone(),
            })
        };
        (0..self.library.device_count().unwrap_or(0)).filter_map(|index| fact(index).ok()).collect()
    }

    /// What a GPU does now.
    pub fn sample(&self, index: u32) -> Option<GpuSample> {
        let device = self.library.device_by_index(index).ok()?;
        Some(GpuSample {
            index,
            utilization_percent: device.utilization_rates().ok()?.gpu,
            memory_used_bytes: device.memory_info().ok()?.used,
            power_milliwatts: device.power_usage().ok(),
            temperature_c: device.temperature(TemperatureSensor::Gpu).ok(),
        })
    }

    /// A GPU's clocks, its throttling and who uses it. In a process namespace of its own a process is not known
    /// to the driver by its own id: then the only one there is it.
    pub fn state(&self, index: u32) -> Option<GpuState> {
        let device = self.library.device_by_index(index).ok()?;
        let slowed = ThrottleReasons::all()
            - ThrottleReasons::GPU_IDLE
            - ThrottleReasons::APPLICATIONS_CLOCKS_SETTING
            - ThrottleReasons::NONE;
        let reasons = device.current_throttle_reasons().map_or(ThrottleReasons::NONE, |reasons| reasons & slowed);
        let processes = device.running_compute_processes().unwrap_or_default();
        let own = std::process::id();
        let is_known = processes.iter().any(|process| process.pid == own);
        let is_own = |pid: u32| pid == own || (!is_known && processes.len() == 1);
        let memory =
            processes.iter().find(|process| is_own(process.pid)).and_then(|process| match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            });
        Some(GpuState {
            sm_clock_mhz: device.clock_info(Clock::SM).ok(),
            memory_clock_mhz: device.clock_info(Clock::Memory).ok(),
            temperature_c: device.temperature(TemperatureSensor::Gpu).ok(),
            throttled: reasons.iter_names().map(|(name, _)| name.to_owned()).collect(),
            strangers: processes.iter().map(|process| process.pid).filter(|pid| !is_own(*pid)).collect(),
            memory_bytes: memory,
        })
    }

    /// Ids of the processes that compute on a GPU; none where the driver does not say.
    pub fn processes(&self, index: u32) -> Option<Vec<u32>> {
        let device = self.library.device_by_index(index).ok()?;
        Some(device.running_compute_processes().ok()?.into_iter().map(|process| process.pid).collect())
    }
}
