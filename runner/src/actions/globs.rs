//! Files by patterns, without ever following a link: what steps leave behind may point anywhere.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use glob::{MatchOptions, Pattern};
use sha2::{Digest, Sha256};

use crate::job::files::open_plain;

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// What patterns found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The lowest directory that holds all of them: names in an archive are relative to it.
    pub root: PathBuf,
    /// Sorted.
    pub files: Vec<PathBuf>,
    /// Links, which are left out.
    pub links: usize,
}

/// Finds files below `base` by lines as `upload-artifact` takes them: a file, a directory (all below
/// it), a pattern with `*`, `**`, `?` and `[…]`; `!` takes away again what earlier lines gave.
pub(crate) fn find(base: &Path, lines: &[&str]) -> Result<Found, String> {
    let mut found = Found::default();
    let mut roots = Vec::new();
    for line in lines {
        let (negative, line) = line.strip_prefix('!').map_or((false, *line), |line| (true, line.trim()));
        let path = clean(base, line)?;
        let pattern = path.to_str().ok_or("a path is not UTF-8")?;
        let matcher = Pattern::new(pattern).map_err(|e| format!("the pattern `{line}` is not valid: {e}"))?;
        let start = literal_start(&path);
        let matches = |file: &Path| {
            matcher.matches_path_with(file, OPTIONS)
                || file.ancestors().skip(1).any(|above| matcher.matches_path_with(above, OPTIONS))
        };
        if negative {
            found.files.retain(|file| !matches(file));
            continue;
        }
        if !crate::archive::is_below(&start, base) {
            // A directory on the way is a link: what is behind it is not the workspace's.
            found.links += 1;
            continue;
        }
        let mut all = Vec::new();
        walk(&start, &mut all, &mut found.links).map_err(|e| format!("{} cannot be read: {e}", start.display()))?;
        let is_file = start.symlink_metadata().is_ok_and(|m| m.is_file());
        roots.push(if is_file { start.parent().map_or_else(|| start.clone(), Path::to_path_buf) } else { start });
        found.files.extend(all.into_iter().filter(|file| matches(file)));
    }
    found.files.sort();
    found.files.dedup();
    found.root = common_root(&roots).unwrap_or_else(|| base.to_path_buf());
    Ok(found)
}

/// `hashFiles()`: the digest of the digests of the files, in the order of their paths; empty where
/// nothing matches. A text may hold several patterns, a line each, and remarks.
pub(crate) fn hash_files(workspace: &Path, patterns: &[String]) -> Result<String, String> {
    let lines = patterns.iter().flat_map(|text| text.lines()).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let found = find(workspace, &lines)?;
    if found.files.is_empty() {
        return Ok(String::new());
    }
    let mut all = Sha256::new();
    for file in &found.files {
        let mut one = Sha256::new();
        open_plain(file)
            .and_then(|mut file| io::copy(&mut file, &mut one))
            .map_err(|e| format!("{} cannot be read: {e}", file.display()))?;
        all.update(one.finalize());
    }
    Ok(hex::encode(all.finalize()))
}

/// The absolute path of a line, its `.` and `..` resolved by their words alone.
fn clean(base: &Path, line: &str) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    for component in base.join(line).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => path.push(component),
        }
    }
    if path.starts_with(base) { Ok(path) } else { Err(format!("`{line}` leaves the workspace")) }
}

/// The path up to its first component with a wildcard.
fn literal_start(path: &Path) -> PathBuf {
    let literal = |c: &Component<'_>| !c.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    path.components().take_while(literal).collect()
}

fn walk(path: &Path, files: &mut Vec<PathBuf>, links: &mut usize) -> io::Result<()> {
    let kind = match path.symlink_metadata() {
        Ok(metadata) => metadata.file_type(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    if kind.is_symlink() {
        *links += 1;
    } else if kind.is_file() {
        files.push(path.to_path_buf());
    } else if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), files, links)?;
        }
    }
    Ok(())
}

fn common_root(roots: &[PathBuf]) -> Option<PathBuf> {
    let mut roots = roots.iter();
    let mut common = roots.next()?.clone();
    for root in roots {
        while !root.starts_with(&common) {
            common.pop();
        }
    }
    Some(common)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        directory
    }

    #[track_caller]
    fn check(lines: &[&str], root: &str, expected: &[&str]) {
        let directory = tree(&["a/x.onnx", "a/b/y.onnx", "a/b/.hidden", "z.txt"]);
        let base = directory.path();
        let found = find(base, lines).unwrap();
        let names: Vec<_> = found.files.iter().map(|f| f.strip_prefix(base).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, expected);
        assert_eq!(found.root, base.join(root));
    }

    #[test]
    fn files_directories_and_patterns() {
        check(&["z.txt"], "", &["z.txt"]);
        check(&["a"], "a", &["a/b/.hidden", "a/b/y.onnx", "a/x.onnx"]);
        check(&["a/*.onnx"], "a", &["a/x.onnx"]);
        check(&["**/*.onnx"], "", &["a/b/y.onnx", "a/x.onnx"]);
        check(&["a/b", "a/x.onnx"], "a", &["a/b/.hidden", "a/b/y.onnx", "a/x.onnx"]);
        check(&["a/", "!a/b"], "a", &["a/x.onnx"]);
        check(&["nothing"], "nothing", &[]);
    }

    #[test]
    fn links_are_not_followed_and_the_workspace_is_not_left() {
        let directory = tree(&["a/x"]);
        std::os::unix::fs::symlink("/etc", directory.path().join("etc")).unwrap();
        let found = find(directory.path(), &["."]).unwrap();
        assert_eq!((found.files.len(), found.links), (1, 1));
        assert!(find(directory.path(), &["../x"]).unwrap_err().contains("leaves"));
        assert!(find(directory.path(), &["/etc/passwd"]).unwrap_err().contains("leaves"));
        // A link in the middle of the way is one too.
        assert_eq!(find(directory.path(), &["etc/passwd"]).unwrap().files, Vec::<PathBuf>::new());
    }

    #[test]
    fn a_hash_of_nothing_is_empty_and_a_hash_of_files_follows_them() {
        let directory = tree(&["a", "b"]);
        let hash = |pattern: &str| hash_files(directory.path(), &[pattern.to_owned()]).unwrap();
        assert_eq!(hash("none*"), "");
        let before = hash("*");
        assert_eq!(before.len(), 64);
        fs::write(directory.path().join("a"), "changed").unwrap();
        assert_ne!(hash("*"), before);
    }
}
