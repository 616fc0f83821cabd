//! On the real runtime, with the real models of `examples/digits`.

use super::*;
use crate::onnx::{
    TaskKind, evaluate,
    library::{Places, locate_or_install},
    runtime::runtime,
};

fn digits(model: &str) -> EvalSettings {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    EvalSettings::new(directory.join(model), directory.join("heldout.npz"), TaskKind::Classification)
}

fn key_of(settings: &EvalSettings) -> Key {
    key(&locate_or_install(&Places::from_env(), &|_| ()).unwrap(), settings).unwrap()
}

/// A directory for results, and an evaluation kept in it with its outcomes.
fn kept() -> (tempfile::TempDir, Results, EvalSettings, Evaluation) {
    let directory = tempfile::tempdir().unwrap();
    let results = Results::of_user(directory.path());
    let settings = EvalSettings { outcomes: Some(directory.path().join("o.jsonl.zst")), ..digits("model.onnx") };
    let evaluation = evaluate(runtime(&|_| ()).unwrap(), &settings).unwrap();
    results.keep(&key_of(&settings), &evaluation, settings.outcomes.as_deref()).unwrap();
    (directory, results, settings, evaluation)
}

#[test]
fn what_is_known_is_the_same_as_what_was_computed() {
    let (directory, results, settings, evaluation) = kept();
    assert_eq!(fs::read_dir(&results.write).unwrap().count(), 2);
    let plain = directory.path().join("again.jsonl");
    let again = EvalSettings { name: "other".to_owned(), outcomes: Some(plain.clone()), ..settings.clone() };
    let answer = results.find(&key_of(&again), true).unwrap().answer(&again).unwrap();
    assert!(answer.cached && answer.name == "other");
    assert_eq!((&answer.metrics, &answer.per_class, answer.n), (&evaluation.metrics, &evaluation.per_class, 899));
    let first = zstd::decode_all(fs::File::open(settings.outcomes.unwrap()).unwrap()).unwrap();
    assert_eq!(fs::read(&plain).unwrap(), first);
    assert_eq!(answer.outcomes.unwrap().bytes, first.len() as u64);
    // A result that was itself reused is not kept as if it had been computed.
    results.keep(&key_of(&again), &Evaluation { n: 1, cached: true, ..evaluation }, None).unwrap();
    assert_eq!(results.find(&key_of(&again), true).unwrap().evaluation.n, 899);
}

#[test]
fn every_input_is_part_of_the_key() {
    let of = |change: fn(&mut EvalSettings)| {
        let mut settings = digits("model.onnx");
        change(&mut settings);
        key_of(&settings).key
    };
    let one = of(|_| ());
    assert_eq!(one, of(|settings| settings.name = "other".to_owned()));
    assert_eq!(one, of(|settings| settings.outcomes = Some("o.jsonl".into())));
    let others = [
        of(|settings| settings.model.set_file_name("variants/regressed.onnx")),
        of(|settings| settings.batch = 1),
        of(|settings| settings.threads = 2),
        of(|settings| settings.metrics = Some(vec!["accuracy".to_owned()])),
        of(|settings| settings.slices = vec!["target".to_owned()]),
        of(|settings| settings.classes = vec!["a".to_owned()]),
        of(|settings| settings.provider = crate::onnx::Provider::Cuda),
    ];
    let distinct: std::collections::BTreeSet<String> =
        others.iter().chain([&one]).map(|digest| digest.hex().to_owned()).collect();
    assert_eq!(distinct.len(), others.len() + 1);
    let mut library = locate_or_install(&Places::from_env(), &|_| ()).unwrap();
    library.version = Some("0.0.1".to_owned());
    assert_ne!(key(&library, &digits("model.onnx")).unwrap().key, one);
}

#[test]
fn a_damaged_result_is_none() {
    let damage = |name: fn(&Path) -> bool, change: fn(Vec<u8>) -> Vec<u8>| {
        let (_directory, results, settings, _) = kept();
        for entry in fs::read_dir(&results.write).unwrap() {
            let path = entry.unwrap().path();
            if name(&path) {
                fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
            }
        }
        results.find(&key_of(&settings), true)
    };
    let entry = |path: &Path| !is_compressed(path);
    assert!(damage(entry, |bytes| bytes).is_some());
    assert!(damage(entry, |bytes| String::from_utf8(bytes).unwrap().replace("0.9", "1.0").into_bytes()).is_none());
    assert!(damage(entry, |bytes| bytes[..bytes.len() / 2].to_vec()).is_none());
    assert!(damage(entry, |_| Vec::new()).is_none());
    assert!(
        damage(is_compressed, |mut bytes| {
            bytes[20] ^= 1;
            bytes
        })
        .is_none()
    );
    assert!(damage(is_compressed, |_| Vec::new()).is_none());
}

#[test]
fn a_result_about_other_files_or_without_outcomes_is_not_taken() {
    let (directory, results, settings, evaluation) = kept();
    let other = EvalSettings { model: digits("variants/regressed.onnx").model, ..settings.clone() };
    results.keep(&key_of(&other), &evaluation, None).unwrap();
    assert!(results.find(&key_of(&other), false).is_none());
    let elsewhere = Results::new(vec![directory.path().join("b")], directory.path().join("b"));
    elsewhere.keep(&key_of(&settings), &evaluation, None).unwrap();
    assert!(elsewhere.find(&key_of(&settings), true).is_none());
    assert!(elsewhere.find(&key_of(&settings), false).is_some());
}

#[test]
fn the_oldest_go_first() {
    let directory = tempfile::tempdir().unwrap();
    for (index, name) in ["a", "b", "c"].iter().enumerate() {
        let file = fs::File::create(directory.path().join(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(index as u64)).unwrap();
    }
    prune(directory.path(), 2).unwrap();
    let mut left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["b", "c"]);
}
