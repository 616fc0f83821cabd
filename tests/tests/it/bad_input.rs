//! What is wrong with the machine or with what people push: a clear answer, and nothing lost. All of it with the
//! real binary, over HTTP and git.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tests::{
    binary::assay,
    delivery::Delivery,
    digits::example,
    process::ServerProcess,
    site::{REPO, Site},
    wait::until,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const ONE_JOB: &str = "
on: [push, pull_request]
jobs:
  only:
    runs-on: self-hosted
    steps:
      - run: echo done
";

/// Why a command of ours did not start to serve.
fn refusal(arguments: &[&str], data: &Path) -> String {
    let output = Command::new(assay()).args(arguments).arg("--data").arg(data).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_port_or_a_data_directory_in_use_is_said_at_once() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = ServerProcess::start(&data, &["--no-runner"]);
    let address = server.url().trim_start_matches("http://");

    let said = refusal(&["serve", "--listen", address], &home.path().join("other"));
    assert!(said.contains(&format!("{address} is in use by another program; choose another with --listen")), "{said}");

    let said = refusal(&["serve", "--listen", "127.0.0.1:0"], &data);
    assert!(said.contains("is in use by process ") && said.contains(&server.id().to_string()), "{said}");
    let (status, _) = server.terminate();
    assert!(status.success(), "the first server was disturbed: {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_delivery_is_refused_by_the_binary_too() {
    let site = Site::start(&["--no-runner"]);
    let sha = site.git.commit("main", None, "one", &[(".assay/workflows/ci.yml", ONE_JOB.as_bytes())]);
    let good = Delivery::local_push(&site.git, REPO, "main", None, &sha);
    let send = async |delivery: &Delivery, secret: &str| {
        delivery.send(&site.client, site.url(), "local", secret).await.map_err(|error| error.to_string())
    };
    assert_eq!(send(&good, "another secret").await, Ok(401));
    let garbage = Delivery { body: b"no json".to_vec(), ..good.clone() };
    assert_eq!(send(&garbage, &site.secret()).await, Ok(400));
    let huge = Delivery { body: vec![b' '; 25 * 1024 * 1024 + 1], ..good.clone() };
    // The server may close before it was sent the whole of it.
    assert!(matches!(send(&huge, &site.secret()).await, Ok(413) | Err(_)));
    let unknown = Delivery { event: "star".to_owned(), guid: "star".to_owned(), ..good.clone() };
    assert_eq!(send(&unknown, &site.secret()).await, Ok(202));
    assert!(site.get("runs").await["runs"].as_array().is_none_or(Vec::is_empty), "something was started");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_gives_the_job_back_and_the_next_start_finishes_it() {
    let mut site = Site::start(&[]);
    // The step speaks to the test: its connection shows that it runs, and its end that it was ended.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let workflow = format!(
        "on: push\njobs:\n  only:\n    runs-on: self-hosted\n    steps:\n      - shell: bash\n        run: |\n          \
         exec 3<>/dev/tcp/127.0.0.1/{port}\n          echo begun >&3\n          read -r word <&3\n          [ \"$word\" = go ]\n"
    );
    let sha = site.commit("main", None, "one", &[(".assay/workflows/ci.yml", workflow.as_bytes())]).await;
    let (mut first, _) = listener.accept().await.unwrap();
    let mut word = [0; 6];
    first.read_exact(&mut word).await.unwrap();

    let server = site.take_server();
    let (status, said) = tokio::task::block_in_place(|| server.interrupt());
    assert!(status.success(), "{status}: {said}");
    let mut rest = Vec::new();
    let _ = first.read_to_end(&mut rest).await;
    assert_eq!(rest, b"", "the step went on");

    // The job is nobody's: no lease has to expire first.
    site.start_again(&["--no-runner"]);
    let run = site.get("runs/1").await;
    assert_eq!((&run["status"], &run["jobs"][0]["state"]), (&"in_progress".into(), &"queued".into()), "{run:#}");
    let _ = tokio::task::block_in_place(|| site.take_server().terminate());

    site.start_again(&[]);
    let (mut second, _) = listener.accept().await.unwrap();
    second.write_all(b"go\n").await.unwrap();
    assert_eq!(site.ended(1).await["conclusion"], "success");
    site.gate(&sha).await;
    assert_eq!(site.get("runs").await["runs"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_gone_before_its_checkout_fails_the_job_and_is_named() {
    let mut site = Site::start(&["--no-runner"]);
    let workflow = ONE_JOB.replace("- run: echo done", "- uses: assay/checkout@v1");
    let sha = site.commit("main", None, "one", &[(".assay/workflows/ci.yml", workflow.as_bytes())]).await;
    until_planned(&site, 1).await;
    // As after a forced push and a garbage collection.
    let (folder, file) = sha.as_str().split_at(2);
    std::fs::remove_file(site.git.path.join("objects").join(folder).join(file)).unwrap();
    std::fs::remove_file(site.git.path.join("refs/heads/main")).unwrap();
    let _ = tokio::task::block_in_place(|| site.take_server().terminate());

    site.start_again(&[]);
    let run = site.ended(1).await;
    assert_eq!(run["conclusion"], "failure");
    let summary = run["jobs"][0]["summary"].as_str().unwrap();
    assert!(summary.contains(sha.as_str()), "{summary}");
    assert_eq!(site.gate(&sha).await["allowed"], false);
}

async fn until_planned(site: &Site, number: u64) {
    tests::wait::until_async("the run to be planned", async || {
        let run = site.get(&format!("runs/{number}")).await;
        if run["jobs"].as_array().is_some_and(|jobs| !jobs.is_empty()) { Ok(()) } else { Err(run) }
    })
    .await;
}

/// A job that evaluates a model on a data set.
fn eval_job(id: &str, model: &str, dataset: &str) -> String {
    format!(
        "  {id}:\n    runs-on: self-hosted\n    steps:\n      - uses: assay/checkout@v1\n      - uses: assay/eval@v1\n        \
         with: {{ model: {model}, dataset: {dataset}, task: classification }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_evaluated_says_why() {
    let site = Site::start(&[]);
    let cases = [
        ("missing", "no-such.onnx", "heldout.npz"),
        ("truncated", "cut.onnx", "heldout.npz"),
        ("not-onnx", "text.onnx", "heldout.npz"),
        ("pointer", "pointer.onnx", "heldout.npz"),
        ("wrong-shape", "model.onnx", "narrow.csv"),
        ("no-data", "model.onnx", "no-such.npz"),
        ("good", "model.onnx", "heldout.npz"),
    ];
    let jobs: String = cases.iter().map(|(id, model, dataset)| eval_job(id, model, dataset)).collect();
    let workflow = format!("on: push\njobs:\n{jobs}gate:\n  accuracy: {{ min: 0.5 }}\n");
    let model = example("model.onnx");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let files: [(&str, &[u8]); 8] = [
        (".assay/workflows/evaluate.yml", workflow.as_bytes()),
        (".gitattributes", b"pointer.onnx filter=lfs diff=lfs merge=lfs -text\n"),
        ("model.onnx", &model),
        ("cut.onnx", &model[..model.len() / 2]),
        ("text.onnx", b"this is no model\n"),
        ("pointer.onnx", pointer),
        ("heldout.npz", &example("heldout.npz")),
        ("narrow.csv", b"a,b,c,target\n1,2,3,0\n4,5,6,1\n"),
    ];
    let sha = site.commit("main", None, "one", &files).await;
    let run = site.ended(1).await;
    let summary = |key: &str| -> String {
        let job = run["jobs"].as_array().unwrap().iter().find(|job| job["key"] == key).unwrap();
        let expected = if key == "good" { "success" } else { "failure" };
        assert_eq!(job["conclusion"], expected, "{job:#}");
        job["summary"].as_str().unwrap_or_default().to_owned()
    };
    let expected = [
        ("missing", vec!["no-such.onnx"]),
        ("truncated", vec!["cut.onnx", "it is not an ONNX model, or it is cut off"]),
        ("not-onnx", vec!["text.onnx", "it is not an ONNX model, or it is cut off"]),
        ("pointer", vec!["pointer.onnx", "Git LFS pointer"]),
        // The signature of the model, in its own words.
        ("wrong-shape", vec!["narrow.csv", "float32", "64"]),
        ("no-data", vec!["no-such.npz"]),
    ];
    for (key, words) in expected {
        let said = summary(key);
        assert!(words.iter().all(|word| said.contains(word)), "{key}: {said}");
        assert!(!said.contains("panicked"), "{key}: {said}");
    }
    assert_eq!(summary("good"), "");
    let gate = site.gate(&sha).await;
    assert_eq!(gate["allowed"], false, "{gate:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_with_a_mistake_is_a_failed_check_with_its_place() {
    let site = Site::start(&["--no-runner"]);
    let gate_of = async |branch: &str, text: &str| -> (Value, String) {
        let sha = site.commit(branch, None, branch, &[(".assay/workflows/ci.yml", text.as_bytes())]).await;
        let gate = site.gate(&sha).await;
        assert_eq!((&gate["conclusion"], &gate["allowed"]), (&"failure".into(), &false.into()), "{gate:#}");
        let page = site.client.get(gate["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(page.status(), 200);
        (gate, page.text().await.unwrap())
    };
    let (gate, page) = gate_of("unknown-key", &ONE_JOB.replace("steps:", "stepz:")).await;
    let summary = gate["summary"].as_str().unwrap();
    assert!(summary.contains("`.assay/workflows/ci.yml:6:5` unknown key `stepz` (did you mean `steps`?)"), "{summary}");
    assert!(page.contains("ci.yml:6:5"), "the page does not say where");

    let (gate, page) = gate_of("not-yaml", "on: push\njobs: {only: [\n").await;
    let summary = gate["summary"].as_str().unwrap();
    assert!(summary.contains("`.assay/workflows/ci.yml:"), "{summary}");
    assert!(page.contains("ci.yml:"), "the page does not say where");
    // It stands beside the others: the next good push is not in its way.
    site.commit("good", None, "good", &[(".assay/workflows/ci.yml", ONE_JOB.as_bytes())]).await;
    until_planned(&site, 3).await;
}

/// A server whose data directory is a file system of its own, of this size. None where bubblewrap cannot make one.
fn on_small_disk(data: &Path, megabytes: u64) -> Option<(std::process::Child, String, PathBuf)> {
    use std::io::{BufRead, BufReader};
    let mut child = Command::new("bwrap")
        .args(["--dev-bind", "/", "/", "--die-with-parent", "--size", &(megabytes << 20).to_string(), "--tmpfs"])
        .arg(data)
        .arg("--")
        .arg(assay())
        .args(["serve", "--no-runner", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let Some(line) = lines.find(|line| line.starts_with("Assay serves ")) else {
        let _ = child.wait();
        return None;
    };
    let url = line.split(' ').nth(2).expect("an address").to_owned();
    // Its files are seen through the process that holds the file system.
    let inner = until("bubblewrap's child", || {
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let text = std::fs::read_to_string(children).unwrap_or_default();
        text.split_whitespace().next().map(str::to_owned).ok_or(text)
    });
    let seen = PathBuf::from(format!("/proc/{inner}/root{}", data.display()));
    Some((child, url, seen))
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_is_acknowledged_and_all_goes_on_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let Some((mut server, url, seen)) = tokio::task::block_in_place(|| on_small_disk(&data, 110)) else {
        eprintln!("skipped: bubblewrap cannot make a file system here");
        return;
    };
    let git = tests::repo::BareRepo::init(&home.path().join("digits.git"));
    let secret = server::secrets::local_webhook(&seen).unwrap();
    let client = reqwest::Client::new();
    let push = async |branch: &str| {
        let sha = git.commit(branch, None, branch, &[(".assay/workflows/ci.yml", ONE_JOB.as_bytes())]);
        let delivery = Delivery::local_push(&git, REPO, branch, None, &sha);
        (delivery.send(&client, &url, "local", &secret).await.unwrap(), delivery)
    };
    assert_eq!(push("main").await.0, 202);

    let filler = seen.join("filler");
    std::fs::write(&filler, vec![0; 60 << 20]).unwrap();
    let (status, refused) = push("late").await;
    assert_eq!(status, 507, "a delivery was answered although the disk is full");
    let ready = client.get(format!("{url}/readyz")).send().await.unwrap().status();
    assert!(ready == 200 || ready == 503, "{ready}");

    std::fs::remove_file(&filler).unwrap();
    assert_eq!(refused.send(&client, &url, "local", &secret).await.unwrap(), 202, "it was recorded after all");
    let runs = tests::wait::until_async("both runs", async || {
        let text = client.get(format!("{url}/api/v1/repos/{REPO}/runs")).send().await.unwrap().text().await.unwrap();
        let page: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let runs = page["runs"].as_array().cloned().unwrap_or_default();
        if runs.len() >= 2 { Ok(runs) } else { Err(text) }
    })
    .await;
    assert_eq!(runs.len(), 2, "{runs:#?}");
    let _ = server.kill();
    let _ = server.wait();
}
