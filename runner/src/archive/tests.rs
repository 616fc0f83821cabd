use std::os::unix::fs::symlink;

use super::*;

/// An archive with one entry, whose name is written as it is: the library would refuse to.
fn hostile(name: &str, kind: EntryType, link: Option<&str>) -> Vec<u8> {
    let mut header = Header::new_old();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(if kind == EntryType::Regular { 2 } else { 0 });
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    if kind == EntryType::Regular {
        bytes.extend_from_slice(b"hi");
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend([0; 1024]);
    bytes
}

#[track_caller]
fn refused(archive: &[u8], why: &str) {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    let message = format!("{:#}", unpack_from(archive, &target, 10, 100).unwrap_err());
    assert!(message.contains(why), "{message}");
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["target"], "something was written outside");
}

#[test]
fn what_was_packed_comes_out_again() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("in");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/model.onnx"), [7; 100_000]).unwrap();
    fs::write(root.join("run.sh"), "#!/bin/sh").unwrap();
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let (archive, out) = (directory.path().join("x.tar.zst"), directory.path().join("out"));
    pack(&root, &[root.join("a/b/model.onnx"), root.join("run.sh")], &archive).unwrap();
    assert_eq!(unpack(&archive, &out).unwrap(), 2);
    assert_eq!(fs::read(out.join("a/b/model.onnx")).unwrap(), [7; 100_000]);
    assert_eq!(out.join("run.sh").metadata().unwrap().permissions().mode() & 0o111, 0o111);
    assert_eq!(out.join("a/b/model.onnx").metadata().unwrap().permissions().mode() & 0o111, 0);
}

#[test]
fn names_that_leave_the_target_are_refused() {
    for name in ["../evil", "/tmp/evil", "a/../../evil"] {
        refused(&hostile(name, EntryType::Regular, None), "leaves the directory");
    }
}

#[test]
fn links_and_devices_are_refused() {
    refused(&hostile("l", EntryType::Symlink, Some("/etc")), "neither a file nor a directory");
    refused(&hostile("l", EntryType::Link, Some("/etc/passwd")), "neither a file nor a directory");
    refused(&hostile("d", EntryType::Char, None), "neither a file nor a directory");
    refused(&hostile("p", EntryType::Fifo, None), "neither a file nor a directory");
}

#[test]
fn too_much_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let archive = hostile("x", EntryType::Regular, None);
    let message =
        |entries, bytes| format!("{:#}", unpack_from(&archive[..], directory.path(), entries, bytes).unwrap_err());
    assert!(message(0, 100).contains("more than 0 entries"));
    assert!(message(1, 1).contains("more than 1 bytes"));
    assert!(unpack_from(&archive[..700], &directory.path().join("cut"), 10, 100).is_ok() || archive.len() > 700);
}

#[test]
fn a_link_in_the_target_is_not_written_through() {
    let directory = tempfile::tempdir().unwrap();
    let (target, outside) = (directory.path().join("target"), directory.path().join("outside"));
    fs::create_dir_all(&target).unwrap();
    fs::write(&outside, "untouched").unwrap();
    symlink(&outside, target.join("x")).unwrap();
    unpack_from(&hostile("x", EntryType::Regular, None)[..], &target, 10, 100).unwrap();
    assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
    assert_eq!(fs::read_to_string(target.join("x")).unwrap(), "hi");
    symlink(directory.path(), target.join("dir")).unwrap();
    let error = unpack_from(&hostile("dir/y", EntryType::Regular, None)[..], &target, 10, 100).unwrap_err();
    assert!(error.to_string().contains("in the way"));
    assert!(!is_below(&target.join("dir/y"), &target));
    assert!(is_below(&target.join("new/y"), &target));
}
