//! NVIDIA GPUs through NVML, found at run time. A machine without it has no GPU and that is no error.

use std::ffi::OsStr;

use nvml_wrapper::{Nvml as Library, enum_wrappers::device::TemperatureSensor, error::NvmlError};
use workflows::protocol::{GpuFacts, GpuSample};

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

    /// Ids of the processes that compute on a GPU; none where the driver does not say.
    pub fn processes(&self, index: u32) -> Option<Vec<u32>> {
        let device = self.library.device_by_index(index).ok()?;
        Some(device.running_compute_processes().ok()?.into_iter().map(|process| process.pid).collect())
    }
}
