//! What an evaluation says about the files it read and the machine it ran on.

use std::{fs::File, io, path::Path};

use sha2::{Digest as _, Sha256};
use workflows::{evaluation::FileFacts, ids::Digest};

use super::session::Provider;

/// A file's digest and size.
pub(super) fn file_facts(path: &Path) -> io::Result<FileFacts> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut file, &mut hasher)?;
    let digest = Digest::from_sha256(hasher.finalize().into());
    Ok(FileFacts { path: path.display().to_string(), digest, bytes })
}

/// The CPU's model name: what like is compared with like by.
pub fn cpu_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name =
        text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    // ARM's kernel gives no name.
    name.map_or_else(|| format!("{} CPU", std::env::consts::ARCH), str::to_owned)
}

/// A GPU's name, from NVML. `index` counts what the process may see.
pub fn gpu_name(index: u32) -> Option<String> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    nvml_wrapper::Nvml::init().ok()?.device_by_index(physical_index(visible.as_deref(), index)?).ok()?.name().ok()
}

/// The machine's number of the `index`-th GPU that CUDA shows: a lease shows only its own. None where it
/// shows fewer, or names them otherwise than by number.
pub(crate) fn physical_index(visible: Option<&str>, index: u32) -> Option<u32> {
    match visible {
        None => Some(index),
        Some(list) => list.split(',').nth(index as usize)?.trim().parse().ok(),
    }
}

/// What like is compared with like by: the name of what a provider computes on.
pub(super) fn device_name(provider: Provider, index: u32) -> String {
    match provider {
        Provider::Cpu => cpu_name(),
        Provider::Cuda | Provider::Tensorrt => gpu_name(index).unwrap_or_else(|| "unknown GPU".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_renumbers_the_gpus() {
        assert_eq!(physical_index(None, 1), Some(1));
        assert_eq!(physical_index(Some("3, 5"), 1), Some(5));
        assert_eq!(physical_index(Some(""), 0), None);
        assert_eq!(physical_index(Some("3"), 1), None);
        assert_eq!(physical_index(Some("GPU-8f1"), 0), None);
    }
}
