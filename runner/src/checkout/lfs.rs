//! Git LFS pointers: three lines of text in the place of a large file. libgit2 knows nothing of LFS,
//! so they are what a checkout gives.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use crate::job::files::open_plain;

const FIRST_LINE: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// A pointer is smaller, by its specification.
const LARGEST: u64 = 1024;

/// Whether a file is a pointer.
pub fn is_pointer(path: &Path) -> bool {
    let read = || {
        let file = open_plain(path).ok()?;
        if file.metadata().ok()?.len() >= LARGEST {
            return None;
        }
        let mut start = Vec::new();
        file.take(FIRST_LINE.len() as u64).read_to_end(&mut start).ok()?;
        Some(start == FIRST_LINE)
    };
    read().unwrap_or(false)
}

/// Pointers below a directory, relative to it, sorted; looked for only where `.gitattributes` speaks
/// of LFS, which is what makes them.
pub fn pointers_below(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut uses_lfs = false;
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() {
                let is_attributes = entry.file_name() == ".gitattributes";
                uses_lfs |= is_attributes && fs::read_to_string(&path).is_ok_and(|text| text.contains("filter=lfs"));
                files.push(path);
            }
        }
    }
    if !uses_lfs {
        return Vec::new();
    }
    let relative = |path: &PathBuf| path.strip_prefix(root).map(Path::to_path_buf).ok();
    let mut found: Vec<_> = files.iter().filter(|path| is_pointer(path)).filter_map(relative).collect();
    found.sort();
    found
}
