//! Files by patterns, as `@actions/glob` finds them on GitHub: in its language, and in its order.
//!
//! What steps leave behind may point anywhere: a link is followed only where `hashFiles` follows it on GitHub, and never
//! out of the workspace.

mod line;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use self::line::Line;
use crate::{archive::is_below, job::files::open_plain};

/// What patterns found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The lowest directory that holds all of them: names in an archive are relative to it.
    pub root: PathBuf,
    /// In the order in which they were found: pattern by pattern, and in a directory by their names.
    pub files: Vec<PathBuf>,
    /// Links, which are left out.
    pub links: usize,
}

/// Finds files below `base` by lines as `upload-artifact` takes them: a file, a directory (all below it), a pattern with
/// `*`, `**`, `?` and `[…]`; `!` takes away again what earlier lines gave.
pub(crate) fn find(base: &Path, lines: &[&str]) -> Result<Found, String> {
    let lines = lines.iter().map(|line| Line::parse(base, line)).collect::<Result<Vec<_>, _>>()?;
    let search = Search::run(base, &lines, false, None)?;
    let (links, files): (Vec<_>, Vec<_>) = search.entries.into_iter().partition(|entry| entry.is_link);
    let root = common_root(&search.roots).unwrap_or_else(|| base.to_path_buf());
    Ok(Found { root, files: files.into_iter().map(|entry| entry.path).collect(), links: links.len() })
}

/// What `hashFiles()` takes before its patterns.
const FOLLOW: &str = "--follow-symbolic-links";

/// How long one `hashFiles()` may take; GitHub's limit.
const LONGEST: Duration = Duration::from_secs(120);

/// `hashFiles()`: the digest of the digests of the files, in the order in which they are found; empty where nothing
/// matches. A text may hold several patterns, a line each, and remarks. A link is hashed as the file that it leads to;
/// links to directories are followed where `--follow-symbolic-links` is the first of the texts.
pub(crate) fn hash_files(workspace: &Path, patterns: &[String]) -> Result<String, String> {
    hash_until(Instant::now() + LONGEST, workspace, patterns)
}

fn hash_until(deadline: Instant, workspace: &Path, patterns: &[String]) -> Result<String, String> {
    let (follow, patterns) = match patterns.split_first() {
        Some((first, rest)) if first.eq_ignore_ascii_case(FOLLOW) => (true, rest),
        Some((first, _)) if first.starts_with("--") => {
            return Err(format!("`{first}` is no option of `hashFiles`, whose one is `{FOLLOW}`"));
        }
        Some(_) | None => (false, patterns),
    };
    let lines = patterns.iter().flat_map(|text| text.lines()).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line::is_elsewhere(workspace, line));
    let lines = lines.map(|line| Line::parse(workspace, line)).collect::<Result<Vec<_>, _>>()?;
    let mut all = Sha256::new();
    let mut any = false;
    for Entry { path, .. } in Search::run(workspace, &lines, follow, Some(deadline))?.entries {
        let unreadable = |e: io::Error| format!("{} cannot be read: {e}", path.display());
        let target = path.canonicalize().map_err(unreadable)?;
        if !target.starts_with(workspace) || target.is_dir() {
            continue;
        }
        let mut one = Sha256::new();
        let timed = open_plain(&target).map(|file| Timed { file, deadline });
        timed.and_then(|mut file| io::copy(&mut file, &mut one)).map_err(unreadable)?;
        all.update(one.finalize());
        any = true;
    }
    Ok(if any { hex::encode(all.finalize()) } else { String::new() })
}

/// A file that is read in time.
struct Timed {
    file: fs::File,
    deadline: Instant,
}

impl io::Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        in_time(Some(self.deadline))?;
        self.file.read(buffer)
    }
}

fn in_time(deadline: Option<Instant>) -> io::Result<()> {
    match deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        true => Err(io::Error::other(format!("`hashFiles` takes longer than {} seconds", LONGEST.as_secs()))),
        false => Ok(()),
    }
}

/// What the lines take: a file, or a link to whatever.
struct Entry {
    path: PathBuf,
    is_link: bool,
}

struct Search<'a> {
    base: &'a Path,
    lines: &'a [Line],
    /// Whether links to directories of the workspace are followed.
    follow: bool,
    deadline: Option<Instant>,
    entries: Vec<Entry>,
    /// The directories that were searched, or hold the file that was looked for.
    roots: Vec<PathBuf>,
}

impl<'a> Search<'a> {
    /// One place after the other in the order of the lines, each once: one below another is searched with that.
    fn run(base: &'a Path, lines: &'a [Line], follow: bool, deadline: Option<Instant>) -> Result<Self, String> {
        let mut search = Self { base, lines, follow, deadline, entries: Vec::new(), roots: Vec::new() };
        let starts: Vec<&Path> = lines.iter().filter(|line| !line.negative).map(|line| line.start.as_path()).collect();
        for (index, start) in starts.iter().enumerate() {
            let around = |other: &&Path| start.starts_with(other) && start != other;
            if starts.iter().any(around) || starts[..index].contains(start) {
                continue;
            }
            // A directory on the way that is a link leads elsewhere as one at the end does.
            let seen = match is_below(start, base) {
                true => search.visit(start, &mut Vec::new()),
                false => search.link(start, &mut Vec::new()),
            };
            seen.map_err(|e| format!("{} cannot be read: {e}", start.display()))?;
            let holder = if start.is_file() { start.parent() } else { None };
            search.roots.push(holder.unwrap_or(start).to_path_buf());
        }
        Ok(search)
    }

    /// `chain` are the true directories around this one, where links are followed.
    fn visit(&mut self, path: &Path, chain: &mut Vec<PathBuf>) -> io::Result<()> {
        in_time(self.deadline)?;
        let kind = match path.symlink_metadata() {
            Ok(metadata) => metadata.file_type(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        if kind.is_symlink() {
            self.link(path, chain)
        } else if kind.is_dir() {
            self.directory(path, chain)
        } else {
            if kind.is_file() {
                self.take(path, false);
            }
            Ok(())
        }
    }

    fn directory(&mut self, path: &Path, chain: &mut Vec<PathBuf>) -> io::Result<()> {
        if self.follow {
            chain.push(path.canonicalize()?);
        }
        let mut children = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        children.sort();
        for child in children {
            self.visit(&child, chain)?;
        }
        chain.pop();
        Ok(())
    }

    fn link(&mut self, path: &Path, chain: &mut Vec<PathBuf>) -> io::Result<()> {
        match path.canonicalize() {
            Ok(target) if self.follow && target.is_dir() => {
                match target.starts_with(self.base) && !chain.contains(&target) {
                    true => self.directory(path, chain),
                    false => Ok(()),
                }
            }
            // A broken one is no file, where links are followed.
            Err(_) if self.follow => Ok(()),
            Ok(_) | Err(_) => {
                self.take(path, true);
                Ok(())
            }
        }
    }

    fn take(&mut self, path: &Path, is_link: bool) {
        let relative = path.strip_prefix(self.base).unwrap_or(path);
        if line::take(self.lines, relative) {
            self.entries.push(Entry { path: path.to_path_buf(), is_link });
        }
    }
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
        check(&["**", "!**/.*"], "", &["a/b/y.onnx", "a/x.onnx", "z.txt"]);
        check(&["a", "!a/b", "a/b/y.onnx"], "a", &["a/b/y.onnx", "a/x.onnx"]);
        check(&["!!z.txt", "!a"], "", &["z.txt"]);
        check(&["z.txt/"], "", &[]);
        check(
            &["z.txt/**", "a/[x]*", "a/[^x]/y**", "a/b/\\.hidden"],
            "",
            &["z.txt", "a/b/.hidden", "a/b/y.onnx", "a/x.onnx"],
        );
    }

    #[test]
    fn files_are_found_pattern_by_pattern_and_each_once() {
        check(&["z.txt", "a/x.onnx"], "", &["z.txt", "a/x.onnx"]);
        check(&["z.txt", "a/b/*", "a"], "", &["z.txt", "a/b/.hidden", "a/b/y.onnx", "a/x.onnx"]);
        check(&["z.txt", "**/*.onnx"], "", &["a/b/y.onnx", "a/x.onnx", "z.txt"]);
    }

    #[test]
    fn links_are_not_followed_and_the_workspace_is_not_left() {
        let directory = tree(&["a/x"]);
        std::os::unix::fs::symlink("/etc", directory.path().join("etc")).unwrap();
        let found = find(directory.path(), &["."]).unwrap();
        assert_eq!((found.files.len(), found.links), (1, 1));
        assert_eq!(find(directory.path(), &["a"]).unwrap().links, 0);
        assert!(find(directory.path(), &["../x"]).unwrap_err().contains("leaves"));
        assert!(find(directory.path(), &["/etc/passwd"]).unwrap_err().contains("leaves"));
        // A link in the middle of the way is one too.
        assert_eq!(find(directory.path(), &["etc/passwd"]).unwrap().files, Vec::<PathBuf>::new());
    }

    #[track_caller]
    fn hashes(directory: &tempfile::TempDir, patterns: &[&str], contents: &[&str]) {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let digests = contents.iter().flat_map(Sha256::digest).collect::<Vec<u8>>();
        let expected = if contents.is_empty() { String::new() } else { hex::encode(Sha256::digest(digests)) };
        assert_eq!(hash_files(directory.path(), &patterns).unwrap(), expected);
    }

    #[test]
    fn a_hash_is_of_the_files_in_the_order_of_their_patterns() {
        let directory = tree(&["a", "b", "c/d", "c.d"]);
        hashes(&directory, &["none*"], &[]);
        hashes(&directory, &["*"], &["a", "b", "c/d", "c.d"]);
        hashes(&directory, &["b", "a"], &["b", "a"]);
        hashes(&directory, &["c.d\n# no file\n\nc"], &["c.d", "c/d"]);
        hashes(&directory, &["**", "!c"], &["a", "b", "c.d"]);
        // What lies outside is not hashed, and no mistake either.
        hashes(&directory, &["/etc/passwd", "a"], &["a"]);
        let option = hash_files(directory.path(), &["--follow".to_owned(), "a".to_owned()]);
        assert!(option.unwrap_err().contains("`--follow` is no option"));
    }

    #[test]
    fn a_hash_takes_no_longer_than_it_may() {
        let directory = tree(&["a", "b/c"]);
        let late = hash_until(Instant::now(), directory.path(), &["b".to_owned()]).unwrap_err();
        assert!(late.contains("b cannot be read: `hashFiles` takes longer than 120 seconds"), "{late}");
        let file = open_plain(&directory.path().join("a")).unwrap();
        assert!(io::copy(&mut Timed { file, deadline: Instant::now() }, &mut io::sink()).is_err());
    }

    #[test]
    fn a_link_is_hashed_as_the_file_that_it_leads_to_within_the_workspace() {
        let directory = tree(&["a", "d/e"]);
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, directory.path().join(name)).unwrap();
        link("../a", "d/to-a");
        link("/etc/passwd", "d/out");
        link(".", "d/round");
        link("d", "to-d");
        hashes(&directory, &["d"], &["d/e", "a"]);
        hashes(&directory, &["to-d/*", "a"], &["a"]);
        hashes(&directory, &["--Follow-symbolic-links", "to-d/*", "a"], &["d/e", "a", "a"]);
        link("nowhere", "d/broken");
        let broken = hash_files(directory.path(), &["d".to_owned()]).unwrap_err();
        assert!(broken.contains("d/broken cannot be read"), "{broken}");
        hashes(&directory, &["--follow-symbolic-links", "d"], &["d/e", "a"]);
    }
}
