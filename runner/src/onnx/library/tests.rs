use std::{fs, path::PathBuf};

use super::*;

fn nowhere(cache: &Path) -> Places {
    Places { variable: None, cache: cache.to_owned(), python: PathBuf::from("/nonexistent/python3") }
}

#[test]
fn a_variable_that_names_nothing_is_an_error_and_not_a_reason_to_look_elsewhere() {
    let cache = tempfile::tempdir().unwrap();
    let places = Places { variable: Some("/nonexistent/libonnxruntime.so".into()), ..nowhere(cache.path()) };
    let error = locate_or_install(&places, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("ORT_DYLIB_PATH names `/nonexistent/libonnxruntime.so`"), "{error}");
}

#[test]
fn without_python_the_error_names_what_to_install() {
    let cache = tempfile::tempdir().unwrap();
    let places = nowhere(cache.path());
    let error = locate(&places).unwrap_err().to_string();
    assert!(error.contains("`/nonexistent/python3` is not installed"), "{error}");
    assert!(error.contains("`assay doctor --fix`"), "{error}");
    let error = locate_or_install(&places, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("apt-get install python3 python3-pip"), "{error}");
}

#[test]
fn a_python_without_pip_is_told_from_no_python() {
    let directory = tempfile::tempdir().unwrap();
    let python = directory.path().join("python3");
    fs::write(&python, "#!/bin/sh\n[ \"$1\" = -m ] && exit 1\necho 3.11.0\n").unwrap();
    make_executable(&python);
    let places = Places { python: python.clone(), ..nowhere(&directory.path().join("cache")) };
    let error = locate_or_install(&places, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("needs pip") && error.contains("python3-pip"), "{error}");
}

#[test]
fn a_download_that_is_another_file_is_refused_and_leaves_nothing_in_the_cache() {
    let directory = tempfile::tempdir().unwrap();
    let python = directory.path().join("python3");
    // Answers like pip, and "downloads" a wheel that is not the pinned one.
    let script = "#!/bin/sh\ncase \"$*\" in\n*--version*) echo pip 23.2.1;;\n*download*)\n\
        while [ \"$1\" != --dest ]; do shift; done; echo junk > \"$2/onnxruntime-1.31.1.whl\";;\n*) echo 3.11.0;;\nesac\n";
    fs::write(&python, script).unwrap();
    make_executable(&python);
    let cache = directory.path().join("cache");
    let places = Places { python, ..nowhere(&cache) };
    let error = install(&places, Flavor::Cpu, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("not the pinned"), "{error}");
    let left: Vec<_> = fs::read_dir(cache.join("onnxruntime")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
    assert!(locate(&places).is_err());
}

#[test]
fn the_version_is_read_from_the_name_that_a_link_points_to() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("libonnxruntime.so.1.30.2");
    fs::write(&file, "").unwrap();
    let link = directory.path().join("libonnxruntime.so");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let places = Places { variable: Some(link), ..nowhere(directory.path()) };
    assert_eq!(locate(&places).unwrap().version.as_deref(), Some("1.30.2"));
    assert_eq!(version_in_name(Path::new("/x/libonnxruntime.so.1")), Some("1".to_owned()));
    assert_eq!(version_in_name(Path::new("/x/mine.so")), None);
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
