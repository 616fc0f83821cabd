//! What this machine is.

use std::fs;

use workflows::protocol::{GpuFacts, Isolation, OrtFacts, RunnerFacts};

use crate::onnx::library::Library;

/// The CPU's model name.
pub fn cpu_name() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value =
        |key: &str| info.lines().find_map(|line| line.strip_prefix(key)?.split_once(':')).map(|(_, v)| v.trim());
    value("model name").or_else(|| value("CPU part")).unwrap_or(std::env::consts::ARCH).to_owned()
}

/// Physical memory.
pub fn memory_bytes() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"));
    kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// ONNX Runtime as found: its providers by the libraries that lie beside it. It is not loaded here:
/// whether a provider works on this machine is seen when an evaluation demands it.
pub fn onnxruntime(library: &Library) -> OrtFacts {
    let beside = |name: &str| library.path.with_file_name(format!("libonnxruntime_providers_{name}.so")).exists();
    let optional = [("tensorrt", "TensorrtExecutionProvider"), ("cuda", "CUDAExecutionProvider")];
    let mut providers: Vec<String> =
        optional.iter().filter(|(file, _)| beside(file)).map(|(_, name)| (*name).to_owned()).collect();
    providers.push("CPUExecutionProvider".to_owned());
    OrtFacts { version: library.version.clone().unwrap_or_default(), providers }
}

/// The facts that a claim carries. `labels` are added to those that every such machine has.
pub fn runner_facts(
    name: &str,
    labels: &[String],
    slots: u32,
    isolation: Isolation,
    gpus: Vec<GpuFacts>,
    onnxruntime: Option<OrtFacts>,
) -> RunnerFacts {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let mut all: Vec<String> = ["self-hosted", std::env::consts::OS, arch].map(str::to_owned).to_vec();
    if !gpus.is_empty() {
        all.push("gpu".to_owned());
    }
    all.extend(labels.iter().map(|label| label.trim().to_lowercase()).filter(|label| !label.is_empty()));
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|label| seen.insert(label.clone()));
    RunnerFacts {
        name: name.to_owned(),
        labels: all,
        slots,
        gpus,
        cpu: cpu_name(),
        memory_bytes: memory_bytes(),
        isolation,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        onnxruntime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_knows_itself() {
        let facts = runner_facts("r", &["Big".to_owned(), "linux".to_owned()], 2, Isolation::None, Vec::new(), None);
        assert!(facts.memory_bytes > 1 << 20);
        assert!(!facts.cpu.is_empty());
        assert_eq!(facts.labels.iter().filter(|label| *label == "linux").count(), 1);
        assert!(facts.labels.contains(&"big".to_owned()));
        assert!(!facts.labels.contains(&"gpu".to_owned()));
    }
}
