//! The ONNX Runtime that Assay installs: one version, by digest, and where it lies in the cache.

use std::path::{Path, PathBuf};

use super::{Library, Source};

/// ONNX Runtime's version.
pub const VERSION: &str = "1.31.1";

/// Which build of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// 24 MB to download.
    Cpu,
    /// For CUDA 13 with cuDNN 9, with NVIDIA's own wheels: 1.6 GB to download, 2.3 GB on disk.
    Cuda,
}

/// A wheel of the Python package index. The library in it does not depend on Python's version;
/// asking for one version on every machine makes it one file with one digest.
pub(super) struct Wheel {
    pub package: &'static str,
    /// What `pip download --platform` takes: pip looks for exactly these, and NVIDIA's wheels carry older
    /// tags than ONNX Runtime's own.
    pub platforms: &'static [&'static str],
    pub sha256: &'static str,
}

/// The wheel for a machine; none where the index has none.
pub(super) fn wheel(flavor: Flavor, os: &str, arch: &str) -> Option<Wheel> {
    match (flavor, os, arch) {
        (Flavor::Cpu, "linux", "x86_64") => Some(Wheel {
            package: "onnxruntime",
            platforms: &["manylinux_2_28_x86_64"],
            sha256: "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
        }),
        (Flavor::Cpu, "linux", "aarch64") => Some(Wheel {
            package: "onnxruntime",
            platforms: &["manylinux_2_28_aarch64"],
            sha256: "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
        }),
        (Flavor::Cuda, "linux", "x86_64") => Some(Wheel {
            package: "onnxruntime-gpu",
            platforms: &[
                "manylinux_2_28_x86_64",
                "manylinux_2_27_x86_64",
                "manylinux_2_17_x86_64",
                "manylinux2014_x86_64",
            ],
            sha256: "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6",
        }),
        _ => None,
    }
}

/// The directory of a flavour: complete or absent, because it is renamed into place.
pub(super) fn directory(cache: &Path, flavor: Flavor) -> PathBuf {
    let flavor = match flavor {
        Flavor::Cpu => "cpu",
        Flavor::Cuda => "cuda",
    };
    cache.join("onnxruntime").join(format!("{VERSION}-{flavor}-{}", std::env::consts::ARCH))
}

pub(super) fn library_name() -> String {
    format!("libonnxruntime.so.{VERSION}")
}

/// What an earlier installation left. The CUDA build first: it runs on the CPU as well.
pub(super) fn cached(cache: &Path) -> Option<Library> {
    [Flavor::Cuda, Flavor::Cpu].into_iter().find_map(|flavor| {
        let path = directory(cache, flavor).join(library_name());
        path.is_file().then(|| Library { path, version: Some(VERSION.to_owned()), source: Source::Cache })
    })
}
