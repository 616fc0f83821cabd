//! Accepting a failed gate: who may, what it holds for, what becomes of it.

use reqwest::StatusCode;
use serde_json::{Value, json};
use workflows::ids::Sha;

use crate::{
    spine::{GATED, evaluate},
    world::{REPO, World},
};

const FORM: &str = "application/x-www-form-urlencoded";

async fn accept(world: &World, token: Option<&str>, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = world.client.post(format!("{}/api/v1/repos/{REPO}/{path}", world.url)).json(body);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let reply = request.send().await.unwrap();
    (reply.status(), reply.json().await.unwrap_or(Value::Null))
}

/// A world with a good model on main and a worse one on a branch, whose gate has failed.
async fn refused() -> (World, Sha, Sha) {
    let world = World::new().await;
    let runner = world.runner();
    let main = world.push_main(GATED).await;
    evaluate(&runner, "good", 20).await;
    world.gate_concluded(&main).await;
    let worse = world.git.commit("worse", &[("model.onnx", "worse")]);
    world.push("worse", None, &worse).await;
    evaluate(&runner, "worse", 90).await;
    let gate = world.gate_concluded(&worse).await;
    assert_eq!(gate["conclusion"], "failure", "{gate:#}");
    (world, main, worse)
}

#[tokio::test]
async fn an_accepted_commit_may_be_merged_and_the_record_says_who_when_why_and_what() {
    let (mut world, main, worse) = refused().await;
    let token = server::secrets::api_token(&world.data).unwrap();
    let path = format!("commits/{worse}/gate/accept");
    let body = json!({ "reason": "half the size", "by": "ada" });
    assert_eq!(accept(&world, None, &path, &body).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(accept(&world, Some("guessed"), &path, &body).await.0, StatusCode::UNAUTHORIZED);
    let empty = json!({ "reason": "  ", "by": "ada" });
    assert_eq!(accept(&world, Some(&token), &path, &empty).await.0, StatusCode::BAD_REQUEST);
    let other = json!({ "reason": "half the size", "rules": ["latency_p50"] });
    let (status, answer) = accept(&world, Some(&token), &path, &other).await;
    assert!(status == StatusCode::BAD_REQUEST && answer["message"].as_str().unwrap().contains("accuracy"), "{answer}");
    let nothing = format!("commits/{main}/gate/accept");
    assert_eq!(accept(&world, Some(&token), &nothing, &body).await.0, StatusCode::CONFLICT);

    let (status, record) = accept(&world, Some(&token), &path, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{record:#}");
    world.restart().await;
    let gate = world.gate_concluded(&worse).await;
    assert_eq!((&gate["conclusion"], &gate["allowed"]), (&json!("neutral"), &json!(true)), "{gate:#}");
    assert!(gate["title"].as_str().unwrap().starts_with("Accepted by ada. Failed: accuracy"), "{gate:#}");
    assert!(gate["summary"].as_str().unwrap().contains("half the size"), "{gate:#}");
    assert_eq!(gate["verdict"]["verdict"], "fail", "the verdict itself stays what it was");

    let trail = world.get("audit").await;
    let entry = &trail["acceptances"][0];
    assert_eq!((&entry["sha"], &entry["base"]), (&json!(worse), &json!(main)), "{entry:#}");
    assert_eq!((&entry["by"]["name"], &entry["by"]["via"]), (&json!("ada"), &json!("api")));
    assert_eq!(entry["reason"], "half the size");
    let rule = &entry["rules"][0];
    assert_eq!((&rule["metric"], &rule["base"], &rule["head"]), (&json!("accuracy"), &json!(0.98), &json!(0.91)));
    assert!(entry["at"].as_str().unwrap().ends_with('Z'));
    // Once accepted there is nothing more to accept.
    assert_eq!(accept(&world, Some(&token), &path, &body).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn it_is_void_on_the_next_push_and_for_other_numbers() {
    let (world, _, worse) = refused().await;
    let runner = world.runner();
    let token = server::secrets::api_token(&world.data).unwrap();
    let body = json!({ "reason": "meant so" });
    let (status, record) = accept(&world, Some(&token), "runs/2/accept", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{record:#}");
    assert_eq!(record["by"]["name"], "the holder of the API token");
    assert_eq!(world.gate_concluded(&worse).await["allowed"], true);

    assert_eq!(world.post("runs/2/rerun").await, StatusCode::ACCEPTED);
    evaluate(&runner, "worse", 200).await;
    let gate = world.gate_concluded(&worse).await;
    assert_eq!(gate["allowed"], false, "{gate:#}");

    let next = world.git.commit("worse", &[("model.onnx", "worse still")]);
    world.push("worse", Some(&worse), &next).await;
    evaluate(&runner, "worse still", 90).await;
    let gate = world.gate_concluded(&next).await;
    assert_eq!((&gate["conclusion"], &gate["acceptance"]), (&json!("failure"), &Value::Null), "{gate:#}");
}

#[tokio::test]
async fn what_was_accepted_is_the_baseline_after_the_merge() {
    let (world, main, worse) = refused().await;
    let runner = world.runner();
    let token = server::secrets::api_token(&world.data).unwrap();
    let (status, _) = accept(&world, Some(&token), "runs/2/accept", &json!({ "reason": "meant so" })).await;
    assert_eq!(status, StatusCode::CREATED);
    // Merged with a commit of its own, as a forge does.
    let merged = world.git.commit("main", &[("model.onnx", "worse")]);
    world.push("main", Some(&main), &merged).await;
    evaluate(&runner, "worse", 90).await;
    let gate = world.gate_concluded(&merged).await;
    assert_eq!((&gate["conclusion"], &gate["acceptance"]["sha"]), (&json!("neutral"), &json!(worse)), "{gate:#}");

    let next = world.git.commit("next", &[("model.onnx", "as bad")]);
    world.push("next", None, &next).await;
    evaluate(&runner, "as bad", 90).await;
    let gate = world.gate_concluded(&next).await;
    assert_eq!((&gate["conclusion"], &gate["base"]), (&json!("success"), &json!(merged)), "{gate:#}");
}

#[tokio::test]
async fn the_button_on_the_page_is_for_who_signed_in() {
    let (world, _, worse) = refused().await;
    let page = format!("{}/{REPO}/runs/2", world.url);
    let button = format!("action=\"/{REPO}/runs/2/accept\"");
    let text = world.client.get(&page).send().await.unwrap().text().await.unwrap();
    assert!(!text.contains(&button), "nobody signed in: {text}");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let secret = server::secrets::api_token(&world.data).unwrap();
    let reply = client
        .post(format!("{}/sign-in", world.url))
        .header("content-type", FORM)
        .body(format!("secret={secret}"))
        .send()
        .await
        .unwrap();
    let cookie = reply.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let shown = async || client.get(&page).header("cookie", &cookie).send().await.unwrap().text().await.unwrap();
    let text = shown().await;
    assert!(text.contains(&button), "{text}");
    let form = text.split(&button).nth(1).unwrap();
    let token = form.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let press = async |cookie: &str, token: &str| {
        let form = format!("token={token}&by=grace&reason=%3Cb%3Emeant%3C%2Fb%3E");
        let request = client.post(format!("{page}/accept")).header("cookie", cookie).header("content-type", FORM);
        request.body(form).send().await.unwrap()
    };
    assert_eq!(press(&cookie, "guessed").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(press("assay-session=x", token).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.get(&format!("commits/{worse}/gate")).await["allowed"], false);
    let reply = press(&cookie, token).await;
    assert_eq!(reply.status(), StatusCode::SEE_OTHER);
    assert_eq!(reply.headers()["location"], format!("/{REPO}/runs/2"));
    assert_eq!(world.gate_concluded(&worse).await["acceptance"]["by"]["via"], "page");
    let text = shown().await;
    assert!(text.contains("Accepted by grace") && !text.contains("<b>meant") && !text.contains(&button), "{text}");
}
