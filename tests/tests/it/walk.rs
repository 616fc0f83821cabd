//! A visitor's walk through the real server's pages, after what the demo pushes: repositories, runs, a run, a live
//! log, a trend, a comparison; then the buttons of somebody signed in.
//!
//! With `ASSAY_PICTURES=DIR` it leaves a picture of each page there, in both themes, wide and narrow.

use std::path::Path;

use fantoccini::Locator;
use serde_json::{Value, json};
use tests::{
    browser::{Browser, Theme},
    digits::example,
    site::{REPO, Site},
    wait::until_async,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use workflows::ids::Sha;

const WORKFLOW_FILE: &str = ".assay/workflows/evaluate.yml";

/// Main with the good model, three changes as in the demo, and the good one merged.
async fn story(site: &Site) -> (Sha, Sha) {
    // Every run checks the gate as well: by the model of the base's commit, where no step has packaged it.
    let workflow = String::from_utf8(example(WORKFLOW_FILE)).unwrap();
    let workflow = workflow.replacen("model: dist/model.onnx", "model: model.onnx", 1);
    let workflow = workflow.replacen("gate:", "gate:\n  self-check: 100%", 1);
    let (good, smaller) = (example("model.onnx"), example("variants/smaller.onnx"));
    let data = example("heldout.npz");
    let files: [(&str, &[u8]); 3] =
        [(WORKFLOW_FILE, workflow.as_bytes()), ("model.onnx", &good), ("heldout.npz", &data)];
    let main = site.commit("main", None, "A model that reads handwritten digits", &files).await;
    site.gate(&main).await;
    let regressed = example("variants/regressed.onnx");
    let title = "Retrain on the new labels";
    let failed = site.commit("retrain-quickly", Some(&main), title, &[("model.onnx", &regressed)]).await;
    site.gate(&failed).await;
    let broken = workflow.replacen("steps:", "step:", 1);
    let title = "Tidy up the workflow";
    let sha = site.commit("tidy-workflow", Some(&main), title, &[(WORKFLOW_FILE, broken.as_bytes())]).await;
    site.gate(&sha).await;
    let title = "Fold the scaler into the weights";
    let sha = site.commit("main", None, title, &[("model.onnx", &smaller)]).await;
    site.gate(&sha).await;
    (main, failed)
}

/// Waits until what the page shows holds the text.
async fn shows(browser: &Browser, selector: &str, text: &str) {
    until_async(&format!("{selector} to show {text:?}"), async || {
        let script = format!("return document.querySelector({selector:?})?.innerText ?? ''");
        let seen = browser.script(&script).await;
        if seen.as_str().unwrap_or_default().contains(text) {
            return Ok(());
        }
        Err((path(browser).await, seen, browser.script("return document.querySelector('main')?.innerText").await))
    })
    .await;
}

/// Clicks what it finds; again where the page's script exchanged it in between, which then was not clicked.
async fn click_on(browser: &Browser, what: Locator<'_>) {
    until_async(&format!("{what:?} to be clicked"), async || browser.client.find(what).await?.click().await).await;
}

async fn click(browser: &Browser, selector: &str) {
    click_on(browser, Locator::Css(selector)).await;
}

async fn click_link(browser: &Browser, text: &str) {
    click_on(browser, Locator::LinkText(text)).await;
}

async fn path(browser: &Browser) -> String {
    let url = browser.client.current_url().await.unwrap();
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

/// Titles of the runs in the list.
async fn titles(browser: &Browser) -> Vec<String> {
    let list = browser.script("return [...document.querySelectorAll('#runs h2')].map((h) => h.innerText)").await;
    serde_json::from_value(list).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_list_of_repositories_to_a_trend() {
    let site = Site::start(&[]);
    let (main, failed) = story(&site).await;
    let browser = Browser::start().await;
    if let Some(directory) = std::env::var_os("ASSAY_PICTURES") {
        pictures(&site, &browser, Path::new(&directory), &main, &failed).await;
    }

    browser.goto(site.url()).await;
    shows(&browser, "#repositories", "0.9633").await;
    click_link(&browser, "acme / digits").await;
    let newest = ["Fold the scaler into the weights", "Tidy up the workflow", "Retrain on the new labels"];
    assert_eq!(titles(&browser).await[..3], newest);

    // A page holds fifty; these have nothing to run.
    for number in 0..50 {
        let file: [(&str, &[u8]); 1] = [(WORKFLOW_FILE, b"on: push\njobs: 1\n")];
        site.commit(&format!("typo-{number}"), Some(&main), &format!("Typing error {number}"), &file).await;
    }
    until_async("all of them to be listed", async || {
        let runs = site.get("runs?limit=1").await;
        if runs["runs"][0]["number"].as_u64() >= Some(54) { Ok(()) } else { Err(runs) }
    })
    .await;
    browser.goto(&format!("{}/{REPO}", site.url())).await;
    assert_eq!(titles(&browser).await.len(), 50);
    click_link(&browser, "Older").await;
    let oldest = titles(&browser).await;
    assert_eq!(oldest.len(), 4, "{oldest:?}");
    assert_eq!(oldest[0], newest[0]);
    click_link(&browser, "Newest").await;
    let choose = |name: &str, value: &str| {
        format!(
            "const s = document.querySelector('select[name={name}]'); s.value = '{value}'; \
             s.dispatchEvent(new Event('change', {{ bubbles: true }}))"
        )
    };
    browser.script(&choose("branch", "main")).await;
    until_async("the branch's runs", async || {
        let seen = titles(&browser).await;
        if seen == [newest[0], "A model that reads handwritten digits"] { Ok(()) } else { Err(seen) }
    })
    .await;
    browser.goto(&format!("{}/{REPO}?branch=retrain-quickly&conclusion=failure", site.url())).await;
    // The run succeeded; it is the gate that failed.
    assert!(titles(&browser).await.is_empty());
    browser.goto(&format!("{}/{REPO}?branch=retrain-quickly&conclusion=success", site.url())).await;
    assert_eq!(titles(&browser).await, ["Retrain on the new labels"]);

    click_link(&browser, "Retrain on the new labels").await;
    shows(&browser, "#gate", "The gate blocks this change").await;
    shows(&browser, "#gate", "0.9310").await;
    click(&browser, "#job-eval summary").await;
    shows(&browser, "#jobs", "Evaluate on the held-out digits").await;
    shows(&browser, "#evaluations", "log_loss").await;
    click(&browser, "#job-eval a.button").await;
    click(&browser, "#s3 summary").await;
    shows(&browser, "#log", "eval: 899 examples").await;

    // From the verdict to the two commits side by side.
    browser.goto(site.gate(&failed).await["url"].as_str().unwrap()).await;
    let link = format!("#gate a[href*='/compare/{main}...{failed}']");
    click(&browser, &link).await;
    shows(&browser, "main", "A model that reads handwritten digits").await;
    shows(&browser, "[aria-label='Metrics of eval']", "log_loss").await;

    browser.goto(&format!("{}/{REPO}", site.url())).await;
    click_link(&browser, "accuracy").await;
    shows(&browser, "main table", "Fold the scaler into the weights").await;
    let points = browser.script("return document.querySelectorAll('main svg circle').length").await;
    assert!(points.as_u64() >= Some(2), "a chart of two commits has {points} points");

    browser.goto(&format!("{}/{REPO}/self-checks", site.url())).await;
    shows(&browser, "main", "0 false alarms in 2 self-checks").await;

    browser.goto(&format!("{}/{REPO}/runs/999", site.url())).await;
    shows(&browser, "main", "has no run 999").await;
    let complaints: Vec<String> = browser.complaints().await;
    assert!(complaints.iter().all(|complaint| complaint.contains("404")), "{complaints:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_arrives_while_one_looks_and_who_is_signed_in_may_stop_it() {
    let site = Site::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let workflow = format!(
        "on: push\njobs:\n  only:\n    runs-on: self-hosted\n    steps:\n      - shell: bash\n        run: |\n          \
         exec 3<>/dev/tcp/127.0.0.1/{port}\n          while read -r word <&3; do echo \"heard $word\"; done\n"
    );
    site.commit("main", None, "Listen", &[(WORKFLOW_FILE, workflow.as_bytes())]).await;
    let (mut step, _) = listener.accept().await.unwrap();

    let browser = Browser::start().await;
    let page = format!("{}/{REPO}/runs/1", site.url());
    browser.goto(&format!("{page}/jobs/only")).await;
    browser.script("window.same = true").await;
    for word in ["one", "two"] {
        step.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        shows(&browser, "#log", &format!("heard {word}")).await;
    }
    assert_eq!(browser.script("return window.same").await, json!(true), "the page was loaded again");

    // A stranger has no buttons, and none that they could make up.
    browser.goto(&page).await;
    assert_eq!(browser.script("return document.querySelectorAll('.actions form').length").await, json!(0));
    let post = async |path: &str, cookie: &str, body: &'static str| {
        let request = site.client.post(format!("{page}{path}")).header("cookie", cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post("/cancel", "", "token=").await, 401);
    assert_eq!(post("/cancel", "assay-session=9999999999.00.00", "token=00").await, 401);

    browser.goto(&format!("{}/sign-in?back=/{REPO}/runs/1", site.url())).await;
    let field = browser.client.find(Locator::Css("input[name=secret]")).await.unwrap();
    field.send_keys("a guess").await.unwrap();
    click(&browser, "main button").await;
    shows(&browser, "main", "This is not the server's API token").await;
    let field = browser.client.find(Locator::Css("input[name=secret]")).await.unwrap();
    field.send_keys(&server::secrets::api_token(&site.data).unwrap()).await.unwrap();
    click(&browser, "main button").await;
    shows(&browser, ".actions", "Cancel").await;
    assert_eq!(path(&browser).await, format!("/{REPO}/runs/1"));

    // The cookie alone, as another site's form would send it, moves nothing.
    let cookie = browser.client.get_named_cookie("assay-session").await.unwrap();
    assert_eq!(cookie.http_only(), Some(true));
    let cookie = format!("assay-session={}", cookie.value());
    assert_eq!(post("/cancel", &cookie, "token=00").await, 401);
    assert_eq!(post("/cancel", &cookie, "").await, 400);
    assert_eq!(site.get("runs/1").await["status"], "in_progress");

    click(&browser, ".actions form button").await;
    assert_eq!(site.ended(1).await["conclusion"], "cancelled");
    let mut rest = Vec::new();
    let _ = step.read_to_end(&mut rest).await;
    shows(&browser, ".actions", "Re-run all").await;
    shows(&browser, ".actions", "Cancelled").await;
    click(&browser, ".actions form button").await;
    let (mut step, _) = listener.accept().await.unwrap();
    step.shutdown().await.unwrap();
    let run: Value = until_async("the second attempt to end", async || {
        let run = site.get("runs/1").await;
        if run["attempt"] == 2 && run["status"] == "completed" { Ok(run) } else { Err(run) }
    })
    .await;
    assert_eq!(run["conclusion"], "success", "{run:#}");
    shows(&browser, ".actions", "Passed").await;

    browser.goto(&format!("{}/sign-in", site.url())).await;
    click(&browser, "main button").await;
    browser.goto(&page).await;
    assert_eq!(browser.script("return document.querySelectorAll('.actions form').length").await, json!(0));
}

async fn pictures(site: &Site, browser: &Browser, directory: &Path, main: &Sha, failed: &Sha) {
    std::fs::create_dir_all(directory).unwrap();
    let run = |name: &'static str, number: u64| (name, format!("/{REPO}/runs/{number}"));
    let pages = [
        ("repositories", "/".to_owned()),
        ("runs", format!("/{REPO}")),
        run("run-baseline", 1),
        run("run-failed", 2),
        run("run-invalid", 3),
        run("run-passed", 4),
        ("job", format!("/{REPO}/runs/2/jobs/eval")),
        ("metric", format!("/{REPO}/metrics?name=accuracy&branch=main")),
        ("compare", format!("/{REPO}/compare/{main}...{failed}")),
        ("self-checks", format!("/{REPO}/self-checks")),
        ("sign-in", "/sign-in".to_owned()),
        ("missing", "/nobody/nothing".to_owned()),
    ];
    for (name, path) in pages {
        for (width, theme) in [(1200, Theme::Light), (1200, Theme::Dark), (400, Theme::Light), (400, Theme::Dark)] {
            browser.emulate(width, theme).await;
            browser.goto(&format!("{}{path}", site.url())).await;
            let picture = browser.picture(true).await;
            std::fs::write(directory.join(format!("{name}-{width}-{theme:?}.png")), picture).unwrap();
            assert!(browser.overflow().await <= 0, "{name} is wider than {width} pixels");
        }
    }
    browser.emulate(1200, Theme::Light).await;
    // What the README shows of it.
    browser.goto(&format!("{}/{REPO}/runs/2", site.url())).await;
    std::fs::write(directory.join("run-failed-light.png"), browser.picture(false).await).unwrap();
}
