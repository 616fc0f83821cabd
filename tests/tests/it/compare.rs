//! `assay compare`: two outcomes files and a policy, offline, as a stranger reads it.

use std::{fmt::Write, path::Path, process::Command};

use serde_json::Value;
use tests::binary::assay;

/// Outcomes of a model that is wrong on the first examples of 400.
fn outcomes(schema: u32, model: char, wrong: usize) -> String {
    let digest = |letter: char| format!("sha256:{}", letter.to_string().repeat(64));
    let mut text = format!(
        r#"{{"schema":{schema},"task":"classification","model":"{}","dataset":"{}"}}"#,
        digest(model),
        digest('d')
    );
    for id in 0..400 {
        let right = u8::from(id >= wrong);
        let said = if right == 1 { "7" } else { "1" };
        let _ = write!(
            text,
            "\n{{\"id\":\"{id}\",\"target\":\"7\",\"prediction\":\"{said}\",\"values\":{{\"accuracy\":{right}}}}}"
        );
    }
    text
}

fn compare(directory: &Path, base: &str, head: &str, arguments: &[&str]) -> (i32, String) {
    let output =
        Command::new(assay()).current_dir(directory).args(["compare", base, head]).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn every_line_says_how_it_was_judged_and_nothing_is_advised_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("base.jsonl", &outcomes(1, 'a', 8));
    write("worse.jsonl", &outcomes(1, 'b', 48));
    write("near.jsonl", &outcomes(1, 'c', 11));
    write("old.jsonl", &outcomes(9, 'a', 8));
    write("gate.yml", "accuracy: { max-drop: 1pp }\nself-check: 1%\n");
    let gate = ["--gate", "gate.yml"];

    let (code, text) = compare(home.path(), "base.jsonl", "worse.jsonl", &gate);
    assert_eq!(code, 1, "{text}");
    assert!(text.starts_with("Failed: accuracy −10.00 pp (max-drop: 1pp)."), "{text}");
    for part in ["tango-exact, n 400, 40 worse and 0 better, p ", "could have seen "] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for not in ["button", "assay accept", "run's page", "base branch", "accuracy: accuracy"] {
        assert!(!text.contains(not), "{not} is in\n{text}");
    }

    let (_, text) = compare(home.path(), "base.jsonl", "worse.jsonl", &[&gate[..], &["--markdown"]].concat());
    assert!(text.contains("| `accuracy` | tango-exact | 400 | 40 / 0 |"), "{text}");
    assert!(text.contains("- **fail**: accuracy fell from 0.9800 to 0.8800"), "{text}");
    assert!(!text.contains("button"), "{text}");

    let (code, text) = compare(home.path(), "base.jsonl", "near.jsonl", &gate);
    assert_eq!(code, 0, "neutral does not block: {text}");
    assert!(text.starts_with("Cannot tell:") && text.contains("n 400, 3 worse and 0 better"), "{text}");
    assert!(text.contains("Or allow a larger change in the gate."), "{text}");

    let (code, text) = compare(home.path(), "base.jsonl", "base.jsonl", &gate);
    assert!(code == 0 && text.contains("identical, n 400, 0 worse and 0 better"), "{text}");

    let (code, text) = compare(home.path(), "old.jsonl", "base.jsonl", &gate);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("schema 9 is not the one this version reads (1)"), "{text}");

    let (_, json) = compare(home.path(), "base.jsonl", "worse.jsonl", &[&gate[..], &["--json"]].concat());
    let rule = &serde_json::from_str::<Value>(&json).unwrap()["rules"][0];
    assert!(rule["detectable"].is_f64() && rule["discordant"]["worse"] == 40, "{json}");
}
