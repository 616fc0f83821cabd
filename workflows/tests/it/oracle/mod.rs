//! Made-up and damaged input, read by us and by GitHub's own parsers, which npm has. The seeds are fixed.
//!
//! Nothing may differ but what is known, which is counted by its reason. `ASSAY_ORACLE_FILES`, `ASSAY_ORACLE_EXPRESSIONS`
//! and `ASSAY_ORACLE_SEED` ask for more. `ASSAY_ORACLE_SERVICE=PROGRAM` asks the parser of GitHub's service in place of the
//! package: a program that answers lines as `oracle.mjs` does, made of `src/Sdk` of actions/runner and YamlDotNet. Of
//! expressions it may differ in nothing either; of files it reads an older schema and says only its first errors, so that
//! what it prints has to be read.

mod expressions;
mod files;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

const PACKAGES: [&str; 2] = ["@actions/expressions@0.3.61", "@actions/workflow-parser@0.3.61"];

/// A number that the environment may give.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// A program that answers as `oracle.mjs` does, with the parser of GitHub's service.
fn service() -> Option<std::ffi::OsString> {
    std::env::var_os("ASSAY_ORACLE_SERVICE")
}

/// GitHub's answers, one to each question.
fn ask(questions: &[Value]) -> Vec<Value> {
    let mut command = match service() {
        Some(program) => Command::new(program),
        None => {
            let mut node = Command::new("node");
            node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle/oracle.mjs")).arg(installed());
            node
        }
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts (Debian, Ubuntu: `apt-get install nodejs npm`)");
    let mut input = child.stdin.take().expect("it is piped");
    let text: String = questions.iter().map(|question| format!("{question}\n")).collect();
    // It answers while it is asked: two pipes, two threads.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("the script ends");
    writer.join().expect("the writer ends").expect("the script reads its input");
    assert!(output.status.success(), "oracle.mjs failed");
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .expect("JSON")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// The folder with `node_modules`, fetched once into the target directory by npm.
fn installed() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = root.join(format!("node-{}", PACKAGES.join("-").replace(['@', '/'], "-")));
    if path.exists() {
        return path;
    }
    let unfinished = root.join(format!("node-unfinished-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&unfinished).expect("the target directory can be written");
    let npm = Command::new("npm")
        .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&unfinished)
        .args(PACKAGES)
        .output()
        .expect("npm starts (Debian, Ubuntu: `apt-get install nodejs npm`)");
    assert!(npm.status.success(), "npm install {PACKAGES:?} failed: {}", String::from_utf8_lossy(&npm.stderr));
    // Another test may have been faster; then its folder stays.
    let _ = std::fs::rename(&unfinished, &path);
    path
}

/// Counts what differs by its class, and prints the classes with an example of each.
#[derive(Default)]
struct Differences {
    classes: BTreeMap<String, (usize, String)>,
    /// Those that are known, by their reason.
    known: BTreeMap<&'static str, usize>,
}

impl Differences {
    fn add(&mut self, class: impl Into<String>, example: impl FnOnce() -> String) {
        self.classes.entry(class.into()).or_insert_with(|| (0, example())).0 += 1;
    }

    fn explain(&mut self, reason: &'static str) {
        *self.known.entry(reason).or_default() += 1;
    }

    fn total(&self) -> usize {
        self.classes.values().map(|(count, _)| count).sum()
    }

    fn print(&self) {
        for (reason, count) in &self.known {
            println!("{count:5} known: {reason}");
        }
        let mut classes: Vec<_> = self.classes.iter().collect();
        classes.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (class, (count, example)) in classes {
            println!("{count:5} {class}\n      {example}");
        }
    }
}
