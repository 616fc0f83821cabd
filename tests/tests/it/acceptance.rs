//! A failed gate accepted with the binary, as a maintainer would; and the trail of it.

use std::process::Output;

use serde_json::{Value, json};
use tests::{
    binary::assay,
    digits::{FILE, WORKFLOW, example, first},
    site::{REPO, Site},
};
use workflows::ids::Sha;

/// Runs `assay COMMAND … --server URL --repo REPO` with the token in the environment.
fn run(site: &Site, token: &str, arguments: &[&str]) -> Output {
    tokio::task::block_in_place(|| {
        std::process::Command::new(assay())
            .args(arguments)
            .args(["--server", site.url(), "--repo", REPO])
            .env("ASSAY_API_TOKEN", token)
            .env("USER", "grace")
            .output()
            .unwrap()
    })
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{all}");
    all
}

/// The line that tells a decision, without its time, and the lines of its rules.
fn decision(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let (time, first) = lines.next().unwrap().split_once("  ").unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{text}");
    std::iter::once(first).chain(lines).map(str::to_owned).collect()
}

async fn page(site: &Site, sha: &Sha) -> String {
    let url = site.gate(sha).await["url"].as_str().unwrap().to_owned();
    site.client.get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintainer_accepts_with_the_binary_and_the_audit_says_who_when_why_and_what() {
    let site = Site::start(&[]);
    let regressed = example("variants/regressed.onnx");
    let main = first(&site, &format!("{WORKFLOW}  f1_macro: {{ max-drop: 1pp }}\n")).await;
    let token = server::secrets::api_token(&site.data).unwrap();
    let nobody = run(&site, &token, &["audit"]);
    assert_eq!(said(&nobody, 0).trim(), format!("nobody accepted a failed gate of {REPO}"));

    let worse = site.commit("smaller", Some(&main), "Half the size", &[("model.onnx", &regressed)]).await;
    let refused = site.gate(&worse).await;
    assert_eq!(refused["conclusion"], "failure", "{refused:#}");
    let accept = ["accept", worse.as_str(), "--reason", "half the size", "--by", "ada"];
    said(&run(&site, "a guess", &accept), 2);
    let other = run(&site, &token, &[&accept[..], &["--rule", "latency_p50"]].concat());
    assert!(said(&other, 2).contains("`latency_p50` does not stand in the way; accuracy, f1_macro do"));
    let good = run(&site, &token, &["accept", main.as_str(), "--reason", "why not"]);
    assert!(said(&good, 1).contains("there is no failed rule to accept"));

    // One rule alone leaves the other in the way.
    let one = run(&site, &token, &[&accept[..], &["--rule", "accuracy"]].concat());
    said(&one, 0);
    assert_eq!(site.gate(&worse).await["conclusion"], "failure");
    let told = said(&run(&site, &token, &accept), 0);
    let expected = [
        format!("{worse}  accepted by ada via api: half the size"),
        "  accuracy: 0.9632925472747497 -> 0.9310344827586207 (max-drop: 1pp)".to_owned(),
    ];
    let lines = decision(&told);
    assert_eq!(lines[..2], expected, "{told}");
    assert!(lines[2].starts_with("  f1_macro: 0.96") && lines[2].ends_with("(max-drop: 1pp)"), "{told}");
    assert!(said(&run(&site, &token, &accept), 1).contains("there is no failed rule to accept"));

    let gate = site.gate(&worse).await;
    assert_eq!((&gate["conclusion"], &gate["allowed"]), (&json!("neutral"), &json!(true)), "{gate:#}");
    assert_eq!(gate["verdict"]["verdict"], "fail", "the verdict stays what it was");
    let summary = gate["summary"].as_str().unwrap();
    assert!(summary.contains("**Accepted by ada**") && summary.contains("half the size"), "{summary}");
    let binding = &gate["binding"];
    assert_eq!((&binding["head"], &binding["base"]), (&json!(worse), &json!(main)), "{gate:#}");
    let evaluated = site.ended(2).await["jobs"][0]["evaluations"][0].clone();
    assert_eq!(binding["datasets"]["eval/eval"], evaluated["dataset"]["digest"]);
    assert!(binding["workflows"][FILE].as_str().unwrap().starts_with("sha256:"), "{gate:#}");
    assert!(page(&site, &worse).await.contains("Accepted by ada"));

    let trail = said(&run(&site, &token, &["audit", "--limit", "1"]), 0);
    assert_eq!(decision(&trail), lines);
    let all: Value = serde_json::from_str(&said(&run(&site, &token, &["audit", "--json"]), 0)).unwrap();
    let all = all["acceptances"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!((&all[0]["rules"][0]["interval"].is_array(), &all[1]["rules"].as_array().unwrap().len()), (&true, &1));

    // The next push is another head, which nobody accepted.
    let next = site.commit("smaller", None, "Words", &[("README.md", b"words")]).await;
    let gate = site.gate(&next).await;
    assert_eq!((&gate["conclusion"], &gate["acceptance"]), (&json!("failure"), &Value::Null), "{gate:#}");
    assert!(!page(&site, &next).await.contains("Accepted by"));

    // Merged, the accepted numbers are the baseline: the same model is no regression any more.
    site.git.point("main", &worse);
    assert_eq!(site.push("main", &worse).await, 202);
    let after = site.commit("after", Some(&worse), "More words", &[("README.md", b"more words")]).await;
    let gate = site.gate(&after).await;
    let rule = &gate["verdict"]["rules"][0];
    assert_eq!((&gate["conclusion"], &gate["base"]), (&json!("success"), &json!(worse)), "{gate:#}");
    assert!((rule["base"].as_f64().unwrap() - 0.9310).abs() < 1e-4, "{gate:#}");

    // Whoever names nobody is known by their user name.
    let worse = site.commit("worse-still", Some(&main), "Worse", &[("model.onnx", &regressed), ("x", b"1")]).await;
    site.gate(&worse).await;
    let number = site.get("runs?limit=1").await["runs"][0]["number"].to_string();
    let told = said(&run(&site, &token, &["accept", &number, "--reason", "a trial"]), 0);
    assert!(told.contains("accepted by grace via api: a trial"), "{told}");
}
