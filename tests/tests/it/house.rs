//! The house keeps its shape: directions of dependency, formatting, lints, documentation.
//! `cargo test` is the whole truth: no further check exists in CI.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

fn dependencies(package: &Package) -> BTreeSet<String> {
    package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal).map(|d| d.name.clone()).collect()
}

#[test]
fn dependencies_point_the_way_the_design_says() {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap();
    let rooms = ["workflows", "runner", "server", "web", "cli", "tests"];
    // Room → the rooms that it may lean on.
    let allowed: [(&str, &[&str]); 5] = [
        ("workflows", &[]),
        ("web", &["workflows"]),
        ("runner", &["workflows"]),
        ("server", &["workflows", "web"]),
        ("cli", &["workflows", "web", "runner", "server"]),
    ];
    // What a room must not know of, whatever it leans on.
    let forbidden: [(&str, &[&str]); 4] = [
        ("workflows", &["tokio", "reqwest", "tracing", "git2", "sled", "actix-web", "ort", "object_store", "tempfile"]),
        ("web", &["actix-web", "sled", "tokio", "octocrab"]),
        ("runner", &["sled", "actix-web", "octocrab"]),
        ("server", &["ort", "nvml-wrapper"]),
    ];
    let package = |name: &str| {
        let found = metadata.packages.iter().find(|p| p.name.as_str() == name);
        dependencies(found.unwrap_or_else(|| panic!("there is no crate {name}")))
    };
    for (room, may) in allowed {
        let leans: Vec<String> = package(room).into_iter().filter(|d| rooms.contains(&d.as_str())).collect();
        for on in &leans {
            assert!(may.contains(&on.as_str()), "{room} must not depend on {on}: see ARCHITECTURE.md");
        }
    }
    for (room, never) in forbidden {
        for name in package(room) {
            assert!(!never.contains(&name.as_str()), "{room} must not depend on {name}: see ARCHITECTURE.md");
        }
    }
}

#[test]
fn only_the_store_names_sled() {
    for file in sources(&root().join("server/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let in_store = file.strip_prefix(root().join("server/src/store")).is_ok();
        assert!(in_store || !text.contains("sled::"), "{} names sled", file.display());
    }
}

#[test]
fn the_pure_crate_reads_no_clock_file_socket_or_environment() {
    let banned = ["std::fs", "std::net", "std::env", "SystemTime::now", "Timestamp::now", "Instant::now", "println!"];
    for file in sources(&root().join("workflows/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap_or(&text);
        if file.file_stem().is_some_and(|stem| stem == "tests") || file.components().any(|c| c.as_os_str() == "tests") {
            continue;
        }
        for word in banned {
            assert!(!production.contains(word), "{} uses {word}", file.display());
        }
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// Runs a cargo command over the workspace and fails with what it printed.
#[track_caller]
fn cargo(args: &[&str], variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The environment of a running `cargo test` would make every crate look changed.
    command.current_dir(root()).args(args).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cargo {} says:\n{text}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn formatting_is_rustfmts() {
    cargo(&["fmt", "--all", "--check"], &[]);
}

#[test]
fn clippy_has_nothing_to_say() {
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"], &[]);
}

#[test]
fn rustdoc_has_nothing_to_say() {
    cargo(
        &["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    );
}

#[test]
fn dependencies_are_licensed_and_known() {
    let installed = Command::new("cargo").args(["deny", "--version"]).output().is_ok_and(|o| o.status.success());
    if !installed {
        eprintln!("not run: cargo-deny is not installed (cargo install cargo-deny --locked)");
        return;
    }
    // Advisories need a database from the network, which is not always there; the other three do not.
    cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"], &[]);
}
