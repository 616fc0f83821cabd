//! What an evaluation says about the files it read and the machine it ran on.

use std::{fs::File, io, path::Path};

use sha2::{Digest as _, Sha256};
use workflows::{evaluation::FileFacts, ids::Digest};

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

/// A GPU's name, from NVML.
pub fn gpu_name(index: u32) -> Option<String> {
    nvml_wrapper::Nvml::init().ok()?.device_by_index(index).ok()?.name().ok()
}
