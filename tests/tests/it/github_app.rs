//! `assay github-app`, from a data directory with nothing in it to the first check run.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tests::{binary::assay, github::FakeGithub, stack::Stack, wait::until_async};

/// The value of an attribute in a page, unescaped.
fn attribute(page: &str, before: &str) -> String {
    let value =
        page.split_once(before).and_then(|(_, rest)| rest.split_once('"')).unwrap_or_else(|| panic!("{page}")).0;
    value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_made_by_its_manifest_and_works() {
    let github = FakeGithub::start();
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut process = Command::new(assay())
        .args(["github-app", "--url", "https://assay.example/", "--organization", "acme", "--listen", "127.0.0.1:0"])
        .args(["--api-url", github.url(), "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let first = words.next().expect("it says where its page is");
    let url = first.split(' ').find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("{first}")).to_owned();

    let page = reqwest::get(&url).await.unwrap().text().await.unwrap();
    let action = attribute(&page, "action=\"");
    assert!(action.starts_with(&format!("{}/organizations/acme/settings/apps/new?state=", github.url())), "{action}");
    let state = action.split_once("state=").unwrap().1.to_owned();
    let manifest: Value = serde_json::from_str(&attribute(&page, "name=\"manifest\" value=\"")).unwrap();
    assert_eq!(manifest["hook_attributes"]["url"], "https://assay.example/webhooks/github");
    assert_eq!(manifest["public"], false);
    let back = manifest["redirect_url"].as_str().unwrap().to_owned();

    // A code that nobody asked for, and one that GitHub does not know.
    let returned = async |code: &str, state: &str| {
        reqwest::get(format!("{back}?code={code}&state={state}")).await.unwrap().status().as_u16()
    };
    let code = github.accept_manifest(&manifest);
    assert_eq!(returned(&code, "forged").await, 400);
    assert_eq!(returned("used-before", &state).await, 502);
    assert!(!data.join("github.toml").exists());
    assert_eq!(returned(&code, &state).await, 200);
    let rest: Vec<String> = words.collect();
    assert!(process.wait().unwrap().success(), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("/apps/assay-test/installations/new")), "{rest:?}");
    for secret in ["github-app.pem", "github-webhook"] {
        let mode = std::fs::metadata(data.join("secrets").join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    // An App is not replaced by accident.
    let mut again = Command::new(assay());
    again.args(["github-app", "--url", "https://assay.example", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let again = again.output().unwrap();
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("there already"), "{again:?}");

    let (repo, _) = github.create_repo("acme/digits");
    let head = repo.commit("main", None, "First", &[(".assay/workflows/ci.yml", b"on: push\njobs: {}\n")]);
    let stack = Stack::server(&data, |_| {});
    github.send_webhooks_to(&stack.url);
    assert_eq!(github.push("acme/digits", "main", None, &head).await, 202);
    until_async("the gate to conclude", async || {
        let state = github.state();
        let gate = state.repo("acme/digits").check(&head, "assay/gate").cloned();
        gate.as_ref().and_then(|gate| gate.conclusion.clone()).ok_or(gate)
    })
    .await;
    let sent: Vec<Value> = github.state().requests.iter().map(|seen| json!(seen.path)).collect();
    assert!(sent.iter().any(|path| path.as_str().is_some_and(|path| path.ends_with("/access_tokens"))), "{sent:?}");
    stack.stop().await;
}
