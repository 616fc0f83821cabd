use std::{fs, process::Command};

use super::*;

/// A repository made by the real git.
struct Origin {
    directory: tempfile::TempDir,
}

impl Origin {
    fn new() -> Self {
        let origin = Self { directory: tempfile::tempdir().unwrap() };
        origin.git(&["init", "-q", "-b", "main"]);
        origin
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").current_dir(self.path()).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            fs::create_dir_all(self.path().join(name).parent().unwrap()).unwrap();
            fs::write(self.path().join(name), text).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "c"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn spec(&self, sha: &str) -> CheckoutSpec {
        let url = self.path().display().to_string();
        CheckoutSpec { url, sha: sha.parse().unwrap(), git_ref: None, token: None }
    }
}

#[test]
fn the_exact_commit_comes_without_git() {
    let origin = Origin::new();
    let first = origin.commit(&[("a.txt", "1"), ("d/b.txt", "x")]);
    origin.commit(&[("a.txt", "2"), ("later", "y")]);
    let into = tempfile::tempdir().unwrap();
    checkout(&origin.spec(&first), Path::new("/nonexistent"), into.path()).unwrap();
    assert_eq!(fs::read_to_string(into.path().join("a.txt")).unwrap(), "1");
    assert_eq!(fs::read_to_string(into.path().join("d/b.txt")).unwrap(), "x");
    let mut names: Vec<_> = fs::read_dir(into.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.txt", "d"]);
    // The origin's own index and working tree are left alone.
    assert_eq!(origin.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_commit_that_is_gone_is_named() {
    let origin = Origin::new();
    origin.commit(&[("a", "1")]);
    let gone = "0123456789012345678901234567890123456789";
    let into = tempfile::tempdir().unwrap();
    let error = checkout(&origin.spec(gone), Path::new("/nonexistent"), into.path()).unwrap_err();
    assert!(format!("{error:#}").contains(gone), "{error:#}");
}

#[test]
fn pointers_are_seen() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
    let origin = Origin::new();
    let attributes = (".gitattributes", "*.onnx filter=lfs diff=lfs merge=lfs -text\n");
    let sha = origin.commit(&[attributes, ("m/model.onnx", pointer), ("small.onnx", "not a pointer")]);
    let into = tempfile::tempdir().unwrap();
    checkout(&origin.spec(&sha), Path::new("/nonexistent"), into.path()).unwrap();
    assert_eq!(lfs::pointers_below(into.path()), [Path::new("m/model.onnx")]);
    assert!(lfs::is_pointer(&into.path().join("m/model.onnx")));
    assert!(!lfs::is_pointer(&into.path().join("small.onnx")));
}

#[test]
fn a_working_tree_is_copied_as_it_is() {
    let origin = Origin::new();
    origin.commit(&[("kept", "1"), ("changed", "1"), ("deleted", "1"), (".gitignore", "ignored\n")]);
    fs::write(origin.path().join("changed"), "2").unwrap();
    fs::remove_file(origin.path().join("deleted")).unwrap();
    fs::create_dir(origin.path().join("new")).unwrap();
    fs::write(origin.path().join("new/untracked"), "3").unwrap();
    fs::write(origin.path().join("ignored"), "4").unwrap();
    let into = tempfile::tempdir().unwrap();
    working_tree::copy(origin.path(), into.path()).unwrap();
    let read = |name: &str| fs::read_to_string(into.path().join(name)).ok();
    assert_eq!(read("kept").as_deref(), Some("1"));
    assert_eq!(read("changed").as_deref(), Some("2"));
    assert_eq!(read("new/untracked").as_deref(), Some("3"));
    assert_eq!((read("deleted"), read("ignored")), (None, None));
    assert!(!into.path().join(".git").exists());
}
