//! Where GitHub's test vectors lie, and how results are counted.

use std::path::{Path, PathBuf};

/// The folder of vectors: `shared/conformance` beside this checkout or above it. They are read there
/// and not part of the repository; without them the suites say so.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = above.map(|folder| folder.join("shared/conformance").join(name)).find(|folder| folder.is_dir());
    if found.is_none() {
        println!("{name}: not run, there is no shared/conformance beside this checkout");
    }
    found
}

/// Files of a folder in the order of their names.
pub(crate) fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the folder of vectors can be listed")
        .map(|entry| entry.expect("the folder of vectors can be listed").path())
        .filter(|path| path.is_file())
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a vector is UTF-8");
            (path.file_name().expect("a file has a name").to_string_lossy().into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

/// What became of the vectors of one suite.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: Vec<String>,
    not_applicable: Vec<String>,
}

impl Tally {
    pub(crate) fn check(&mut self, vector: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(why) => self.failed.push(format!("{vector}: {why}")),
        }
    }

    pub(crate) fn not_applicable(&mut self, vector: &str, reason: &str) {
        self.not_applicable.push(format!("{vector}: {reason}"));
    }

    /// Prints the counts, and fails where any vector failed.
    #[track_caller]
    pub(crate) fn finish(self, suite: &str) {
        println!(
            "{suite}: {} passed, {} failed, {} not applicable",
            self.passed,
            self.failed.len(),
            self.not_applicable.len()
        );
        self.not_applicable.iter().for_each(|line| println!("  not applicable: {line}"));
        self.failed.iter().for_each(|line| println!("  FAILED {line}"));
        assert!(self.failed.is_empty(), "{suite}: {} vectors failed", self.failed.len());
        assert!(self.passed > 0, "{suite}: no vector was run");
    }
}
