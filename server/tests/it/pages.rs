//! The pages, as a browser without scripts gets them.

use reqwest::StatusCode;
use workflows::run::Conclusion;

use crate::world::{ONE_JOB, World};

async fn page(world: &World, path: &str) -> (StatusCode, String) {
    let reply = world.client.get(format!("{}{path}", world.url)).send().await.unwrap();
    let policy = reply.headers().get("content-security-policy").map(|value| value.to_str().unwrap().to_owned());
    assert!(policy.is_some_and(|policy| policy.contains("default-src 'none'")), "{path}");
    assert_eq!(reply.headers()["x-content-type-options"], "nosniff");
    (reply.status(), reply.text().await.unwrap())
}

#[tokio::test]
async fn every_page_shows_what_there_is_and_no_secret() {
    let world = World::new().await;
    let runner = world.runner();
    world.push_main(ONE_JOB).await;
    let claim = runner.claim().await;
    let log = runner.put(&claim, "log?offset=0").body("hello <b>log</b>\n").send().await.unwrap();
    assert!(log.status().is_success());
    for path in ["/", "/acme/digits", "/acme/digits/runs/1", "/acme/digits/runs/1/jobs/test"] {
        let (status, text) = page(&world, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        assert!(text.contains("change main") || path.ends_with("test"), "{path}: {text}");
        for secret in [
            server::secrets::runner_token(&world.data).unwrap(),
            server::secrets::local_webhook(&world.data).unwrap(),
            server::secrets::api_token(&world.data).unwrap(),
        ] {
            assert!(!text.contains(&secret));
        }
    }
    let (_, job) = page(&world, "/acme/digits/runs/1/jobs/test").await;
    assert!(job.contains("hello &lt;b&gt;log") || job.contains("hello &#60;b&#62;log"), "{job}");

    let raw = async || {
        let url = format!("{}/acme/digits/runs/1/logs/test?offset=6", world.url);
        let reply = world.client.get(url).send().await.unwrap();
        let header = |name: &str| reply.headers()[name].to_str().unwrap().to_owned();
        (header("x-log-length"), header("x-log-complete"), reply.text().await.unwrap())
    };
    assert_eq!(raw().await, ("17".into(), "false".into(), "<b>log</b>\n".into()));
    runner.finish(&claim, crate::world::result(Conclusion::Success)).await;
    world.run_concluded(1).await;
    assert_eq!(raw().await.1, "true");

    let (status, text) = page(&world, "/acme/digits/metrics?name=accuracy").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let (_, filtered) = page(&world, "/acme/digits?branch=&conclusion=failure").await;
    assert!(!filtered.contains("change main"));
}

#[tokio::test]
async fn what_is_not_there_is_said_on_a_page_and_to_tools_in_json() {
    let world = World::new().await;
    for path in ["/acme/nothing", "/acme/digits/runs/99", "/a/b/c/d/e/f"] {
        let (status, text) = page(&world, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(text.contains("<html"), "{path}");
    }
    let reply = world.client.get(format!("{}/api/v1/nothing", world.url)).send().await.unwrap();
    assert_eq!(reply.status(), StatusCode::NOT_FOUND);
    assert_eq!(reply.json::<serde_json::Value>().await.unwrap()["error"], "not_found");
    let metrics = world.client.get(format!("{}/metrics", world.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nassay_jobs_queued 0"), "{metrics}");
}
