//! The pages of `web` in a real browser, filled with the gallery's data: what they look like at every width and in
//! both themes, and what their script does. A small server stands in for the product's here, so that a job can write
//! its log byte by byte; `browser` walks through the product itself.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web::Data, web::Path, web::Query};
use serde_json::json;
use tests::{
    browser::{Browser, Theme},
    wait::until_async,
};
use web::{GateView, JobPage, LogView, RunPage, RunsPage, Status};
use workflows::{
    protocol::{StepReport, StepState},
    run::Conclusion,
};

#[path = "../../../web/examples/gallery/sample/mod.rs"]
mod sample;

/// What the server shows; tests change it as a runner's reports would.
struct Shown {
    job: JobPage,
    run: RunPage,
}

type Shared = Data<Arc<Mutex<Shown>>>;

async fn gallery(name: Path<String>) -> HttpResponse {
    html(sample::pages().into_iter().find(|(page, _)| *page == name.as_str()).expect("it is in the gallery").1)
}

fn html(text: String) -> HttpResponse {
    let policy = ("content-security-policy", web::CONTENT_SECURITY_POLICY);
    HttpResponse::Ok().content_type("text/html; charset=utf-8").insert_header(policy).body(text)
}

async fn asset(name: Path<String>) -> HttpResponse {
    let Some((bytes, content_type)) = web::asset(&name) else { return HttpResponse::NotFound().finish() };
    HttpResponse::Ok().content_type(content_type).body(bytes)
}

async fn job(shown: Shared, query: Query<Vec<(String, String)>>) -> HttpResponse {
    let mut page = shown.lock().expect("no test panics with it").job.clone();
    if query.iter().any(|(key, value)| key == "log" && value == "none") {
        page.log = None;
    }
    html(page.render())
}

async fn log(shown: Shared, query: Query<Vec<(String, String)>>) -> HttpResponse {
    let offset: usize = query.iter().find(|(key, _)| key == "offset").map_or(0, |(_, n)| n.parse().expect("a number"));
    let shown = shown.lock().expect("no test panics with it");
    let log = shown.job.log.as_ref().expect("it has a log");
    HttpResponse::Ok()
        .insert_header((web::urls::LOG_LENGTH, log.bytes.len().to_string()))
        .insert_header((web::urls::LOG_COMPLETE, log.complete.to_string()))
        .body(log.bytes[offset..].to_vec())
}

async fn run(shown: Shared) -> HttpResponse {
    html(shown.lock().expect("no test panics with it").run.render())
}

async fn runs(query: Query<Vec<(String, String)>>) -> HttpResponse {
    let mut page: RunsPage = sample::runs();
    page.filter.branch = query.iter().find(|(key, _)| key == "branch").map(|(_, branch)| branch.clone());
    html(page.render())
}

/// Serves on a free port until the test ends; the address, and what is shown.
fn serve() -> (String, Arc<Mutex<Shown>>) {
    let shown = Arc::new(Mutex::new(Shown { job: running_job(), run: running_run() }));
    let data = Data::new(shown.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(data.clone())
            .route("/gallery/{name}", actix_web::web::get().to(gallery))
            .route("/assets/{name}", actix_web::web::get().to(asset))
            .route("/acme/digits", actix_web::web::get().to(runs))
            .route("/acme/digits/runs/12", actix_web::web::get().to(run))
            .route("/acme/digits/runs/12/jobs/eval", actix_web::web::get().to(job))
            .route("/acme/digits/runs/12/logs/eval", actix_web::web::get().to(log))
    });
    let server = server.workers(1).bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", server.addrs()[0]);
    tokio::spawn(server.run());
    (url, shown)
}

fn running_run() -> RunPage {
    let mut page = sample::failed_run();
    (page.run.status, page.run.finished_at, page.gate) = (Status::Running, None, GateView::Waiting);
    page.jobs[1].status = Status::Running;
    page
}

fn running_job() -> JobPage {
    let mut page = sample::job_page();
    (page.job.status, page.job.finished_at) = (Status::Running, None);
    page.job.steps = vec![step("first", running(0)), step("second", StepState::Pending)];
    page.log = Some(LogView { start: 0, bytes: b"one\n\x1b[35mon\n sti".to_vec(), complete: false });
    page
}

fn step(name: &str, state: StepState) -> StepReport {
    StepReport { name: name.to_owned(), state }
}

fn running(log_start: u64) -> StepState {
    StepState::Running { started_at: sample::now(), log_start }
}

fn finished(log_start: u64, log_end: u64) -> StepState {
    let at = sample::now();
    let conclusion = Conclusion::Success;
    StepState::Finished { started_at: at, finished_at: at, log_start, log_end, outcome: conclusion, conclusion }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_every_window_in_both_themes() {
    let (url, _) = serve();
    let browser = Browser::start().await;
    let mut backgrounds = Vec::new();
    for (width, theme) in [(1280, Theme::Light), (1280, Theme::Dark), (400, Theme::Light), (400, Theme::Dark)] {
        browser.emulate(width, theme).await;
        for (name, _) in sample::pages() {
            browser.goto(&format!("{url}/gallery/{name}")).await;
            assert!(browser.overflow().await <= 0, "{name} is wider than {width} pixels");
            let inner = browser.script("return innerWidth").await;
            assert_eq!(inner, json!(width), "{name}: the window is not what was asked for");
        }
        let background = browser.script("return getComputedStyle(document.body).backgroundColor").await;
        backgrounds.push((theme, background));
    }
    assert_eq!(backgrounds[0].1, backgrounds[2].1);
    assert_ne!(backgrounds[0].1, backgrounds[1].1, "dark is as light");
    // Refused styles and scripts, missing files, exceptions.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|c| c.contains("favicon.ico")), "{complaints:#?}");
}

/// Each step of a job's page with its lines: text, classes and numbers, as the reader sees them.
const LINES: &str = r#"
    return [...document.querySelectorAll("details.step")].map((step) => [
        step.id,
        step.querySelector("summary .grow").textContent,
        [...step.querySelectorAll(".ln")].map((line) => line.innerHTML),
    ]);"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_arrives_looks_like_one_that_was_there() {
    let (url, shown) = serve();
    let browser = Browser::start().await;
    browser.goto(&format!("{url}/acme/digits/runs/12/jobs/eval")).await;
    browser.script("window.same = true").await;

    // In pieces that end within a character, an escape sequence and a line.
    let text = "\x1b[0m\n10 %\r50 %\r100 %\n\x1b[1;38;5;196mloud\x1b[22m \x1b[48;2;0;0;200mblue\n日本\u{202e}語 <b>&amp;\x07\n\n";
    let second = "\x1b]0;title\x07plain\n\x1b[4;3mlast without an end";
    let bytes = [b"one\n\x1b[35mon\n still\n\x1b[32mtwo".as_slice(), text.as_bytes()].concat();
    let boundary = bytes.len();
    let all = [bytes.as_slice(), second.as_bytes()].concat();
    for end in [18, 30, 41, 56, 80, 88, boundary] {
        shown.lock().unwrap().job.log.as_mut().unwrap().bytes = all[..end].to_vec();
        let asked = browser.script("return performance.getEntriesByType('resource').length").await;
        until_async("the page to ask again", async || {
            let now = browser.script("return performance.getEntriesByType('resource').length").await;
            if now.as_u64() > asked.as_u64() { Ok(()) } else { Err(now) }
        })
        .await;
    }
    {
        let job = &mut shown.lock().unwrap().job;
        job.job.steps = vec![step("first", finished(0, boundary as u64)), step("second", running(boundary as u64))];
        job.log.as_mut().unwrap().bytes = all.clone();
    }
    until_async("the second step's first line", async || {
        let lines = browser.script(LINES).await;
        if lines.to_string().contains("plain") { Ok(()) } else { Err(lines) }
    })
    .await;
    {
        let job = &mut shown.lock().unwrap().job;
        job.job.status = Status::Finished(Conclusion::Success);
        job.job.steps[1].state = finished(boundary as u64, all.len() as u64);
        job.log.as_mut().unwrap().complete = true;
    }
    until_async("the page to find that all is over", async || {
        let live = browser.script("return document.body.dataset.refresh ?? null").await;
        if live.is_null() { Ok(()) } else { Err(live) }
    })
    .await;
    let arrived = browser.script(LINES).await;
    assert_eq!(browser.script("return window.same").await, json!(true), "the page was loaded again");

    browser.goto(&format!("{url}/acme/digits/runs/12/jobs/eval")).await;
    let loaded = browser.script(LINES).await;
    let without_setup = |value: serde_json::Value| -> Vec<serde_json::Value> {
        value.as_array().unwrap().iter().filter(|step| step[0] != "s0").cloned().collect()
    };
    assert_eq!(without_setup(arrived), without_setup(loaded));
    assert!(browser.complaints().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_shows_its_verdict_and_leaves_the_reader_alone() {
    let (url, shown) = serve();
    let browser = Browser::start().await;
    browser.goto(&format!("{url}/acme/digits/runs/12")).await;
    browser.script("window.same = true; document.querySelector('#job-eval summary').click()").await;
    assert_eq!(browser.script("return document.querySelector('#job-eval').open").await, json!(false));

    shown.lock().unwrap().run = sample::failed_run();
    until_async("the verdict", async || {
        let text = browser.script("return document.querySelector('#gate').innerText").await;
        if text.to_string().contains("The gate blocks this change") { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(browser.script("return window.same").await, json!(true), "the page was loaded again");
    assert_eq!(browser.script("return document.querySelector('#job-eval').open").await, json!(false));
    until_async("the page to rest", async || {
        let live = browser.script("return document.body.dataset.refresh ?? null").await;
        if live.is_null() { Ok(()) } else { Err(live) }
    })
    .await;
    assert!(browser.complaints().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_anchors_and_keys_work() {
    let (url, _) = serve();
    let browser = Browser::start().await;

    browser.goto(&format!("{url}/acme/digits")).await;
    let choose = "const s = document.querySelector('select[name=branch]'); s.value = 'retrain'; s.dispatchEvent(new Event('change', { bubbles: true }))";
    browser.script(choose).await;
    until_async("the filtered list", async || {
        let query = browser.script("return location.search").await;
        if query == "?branch=retrain" { Ok(()) } else { Err(query) }
    })
    .await;
    assert_eq!(browser.script("return document.querySelector('select[name=branch]').value").await, json!("retrain"));

    // The first stop of the keyboard is the way past the header.
    let body = browser.client.find(fantoccini::Locator::Css("body")).await.unwrap();
    body.send_keys("\u{e004}").await.unwrap();
    assert_eq!(browser.script("return document.activeElement.className").await, json!("skip"));

    // A link to a line opens its step, though it is folded.
    browser.goto(&format!("{url}/gallery/job#s1-2")).await;
    assert_eq!(browser.script("return document.querySelector('#s1').open").await, json!(true));
}
