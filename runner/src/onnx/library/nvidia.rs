//! NVIDIA's CUDA and cuDNN libraries, which the CUDA build of ONNX Runtime needs and does not bring.
//!
//! They lie beside ONNX Runtime where Assay installed both, and in `site-packages/nvidia/*/lib` where pip did.
//! Neither place is one where the system's loader looks; a library that is loaded already it takes from there.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What ONNX Runtime's CUDA provider needs, and what that needs in turn.
const NEEDED: [&str; 8] =
    ["libcudart", "libnvJitLink", "libnvrtc", "libcublasLt", "libcublas", "libcufft", "libcurand", "libcudnn"];

/// The directories that may hold them for the ONNX Runtime at `library`; those that exist.
pub fn directories(library: &Path) -> Vec<PathBuf> {
    let Some(beside) = library.parent() else { return Vec::new() };
    let mut found = vec![beside.to_owned()];
    // site-packages/onnxruntime/capi/libonnxruntime.so.N → site-packages/nvidia/*/lib
    let packages = beside.ancestors().nth(2).map(|site| site.join("nvidia"));
    let packages =
        packages.into_iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path().join("lib"));
    let mut packages: Vec<PathBuf> = packages.filter(|path| path.is_dir()).collect();
    packages.sort();
    found.extend(packages);
    found
}

/// Loads those that are there with `load`, each after what it needs. What cannot be loaded is left to
/// ONNX Runtime, whose own message names it.
pub fn preload<E>(library: &Path, load: impl Fn(&Path) -> Result<(), E>) {
    let mut waiting: Vec<PathBuf> = directories(library).iter().flat_map(|directory| needed_in(directory)).collect();
    // The order is not known, so: again and again, until a round brings nothing new.
    loop {
        let before = waiting.len();
        waiting.retain(|path| load(path).is_err());
        if waiting.is_empty() || waiting.len() == before {
            return;
        }
    }
}

fn needed_in(directory: &Path) -> Vec<PathBuf> {
    let is_needed = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.contains(".so.") && NEEDED.iter().any(|needed| name.starts_with(needed))
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_needed).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn libraries_are_loaded_after_what_they_need_wherever_pip_put_them() {
        let site = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = site.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            path
        };
        let library = file("onnxruntime/capi/libonnxruntime.so.1.31.1");
        file("onnxruntime/capi/libonnxruntime_providers_cuda.so");
        file("nvidia/cu13/lib/libcublas.so.13");
        file("nvidia/cu13/lib/libcublasLt.so.13");
        file("nvidia/cu13/lib/libnothing.so.1");
        file("nvidia/cudnn/lib/libcudnn.so.9");
        assert_eq!(directories(&library).len(), 3);

        let loaded = RefCell::new(Vec::new());
        preload(&library, |path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let has = |needed: &str| loaded.borrow().iter().any(|name: &String| name.starts_with(needed));
            let ready = match name.split('.').next().unwrap() {
                "libcublas" => has("libcublasLt"),
                "libcudnn" => false,
                _ => true,
            };
            if ready {
                loaded.borrow_mut().push(name);
            }
            ready.then_some(()).ok_or(())
        });
        assert_eq!(*loaded.borrow(), ["libcublasLt.so.13", "libcublas.so.13"], "what cannot be loaded is passed over");
    }
}
