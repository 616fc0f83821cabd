//! Files beside a model that hold its weights. ONNX Runtime opens what the model names, so what it names is
//! looked at first: it must lie in the model's own directory or below, and be a plain file that no link made
//! out of another.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

use super::graph::External;

/// The files, each once: as the model names it → where it is.
pub(super) fn files(model: &Path, references: &[External]) -> Result<BTreeMap<String, PathBuf>, String> {
    if references.is_empty() {
        return Ok(BTreeMap::new());
    }
    let parent = model.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = parent.canonicalize().map_err(|e| format!("its directory cannot be read: {e}"))?;
    let mut files: BTreeMap<String, (PathBuf, u64)> = BTreeMap::new();
    for reference in references {
        let External { tensor, location, offset, length } = reference;
        let refused = |why: &str| format!("the weights of `{tensor}` lie in `{location}`, {why}");
        let size = match files.get(location) {
            Some((_, size)) => *size,
            None => {
                let (path, size) = confined(&directory, location).map_err(|why| refused(&why))?;
                files.insert(location.clone(), (path, size));
                size
            }
        };
        if offset.checked_add(length.unwrap_or(0)).is_none_or(|end| end > size) {
            return Err(refused(&format!("beyond its end: it has {size} bytes")));
        }
    }
    Ok(files.into_iter().map(|(location, (path, _))| (location, path)).collect())
}

/// The file and its size, or why it is not to be opened.
fn confined(directory: &Path, location: &str) -> Result<(PathBuf, u64), String> {
    let relative = Path::new(location);
    let plain = relative.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !plain || location.contains('\0') {
        return Err("which does not name a file in the model's directory".to_owned());
    }
    let path = match directory.join(relative).canonicalize() {
        Ok(path) => path,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err("which does not exist".to_owned()),
        Err(e) => return Err(format!("which cannot be opened: {e}")),
    };
    if !path.starts_with(directory) {
        return Err("a link that leads out of the model's directory".to_owned());
    }
    let metadata = fs::symlink_metadata(&path).map_err(|e| format!("which cannot be opened: {e}"))?;
    if !metadata.is_file() {
        return Err("which is no plain file".to_owned());
    }
    // Nobody can tell where the other names of a hard link are.
    if metadata.nlink() > 1 {
        return Err("a file with other names (hard links), which may lie outside the model's directory".to_owned());
    }
    Ok((path, metadata.len()))
}

/// Of one tensor's numbers in its file.
pub(super) fn digest(path: &Path, part: &External) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(part.offset))?;
    let mut hasher = Sha256::new();
    io::copy(&mut file.take(part.length.unwrap_or(u64::MAX)), &mut hasher)?;
    Ok(Digest::from_sha256(hasher.finalize().into()))
}
