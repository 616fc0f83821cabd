//! The `assay` binary, as a user would run it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use cargo_metadata::Message;

/// Path of the binary, built once per test process. Cargo offers a package's binaries only to that
/// package's own tests, so this asks it. For the whole workspace, not for the one package: that would
/// choose other features of the dependencies, and compile them anew. `ASSAY_BINARY` names one that is
/// to be tested or measured as it is.
pub fn assay() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os("ASSAY_BINARY") {
            return path.into();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
        // Benches measure what users run.
        let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(root)
            .args(["build", "--quiet", "--workspace", "--bin", "assay", "--message-format=json"])
            .args(profile)
            .output()
            .expect("cargo runs: it runs these tests");
        assert!(output.status.success(), "building assay failed:\n{}", String::from_utf8_lossy(&output.stderr));
        Message::parse_stream(&output.stdout[..])
            .filter_map(Result::ok)
            .find_map(|message| match message {
                Message::CompilerArtifact(artifact) => artifact.executable.map(PathBuf::from),
                _ => None,
            })
            .expect("cargo names the executable that it built")
    })
}
