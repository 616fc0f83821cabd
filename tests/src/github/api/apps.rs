//! The App's own business: tokens, installations, deliveries; and who may do what.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Reply, Request};
use crate::github::{
    auth::Keys,
    contract::contract,
    state::{App, Delivery, Repo, State, Token},
};

pub(super) fn create_token(state: &mut State, parameters: &[String], request: &Request) -> Reply {
    let Some(installation) = state.installations.iter().find(|known| known.id.to_string() == parameters[0]) else {
        return Reply::error(404, "Not Found");
    };
    let repos: Option<Vec<String>> = request.body["repositories"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    let known = |name: &String| installation.repos.iter().any(|repo| repo.name() == name);
    if repos.as_ref().is_some_and(|repos| !repos.iter().all(known)) {
        return Reply::error(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        );
    }
    let installation = installation.id;
    let permissions: Option<BTreeMap<String, String>> =
        serde_json::from_value(request.body["permissions"].clone()).ok();
    let all = || json!({ "checks": "write", "contents": "read", "metadata": "read", "merge_queues": "read" });
    let granted = permissions.as_ref().map_or_else(all, |permissions| json!(permissions));
    let value = format!("ghs_{}_{}", installation, state.next_id());
    let expires_at = Timestamp::now() + SignedDuration::from_hours(1);
    let expires = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let selection = if repos.is_some() { "selected" } else { "all" };
    let shown =
        json!({ "token": value, "expires_at": expires, "permissions": granted, "repository_selection": selection });
    let reply = Reply::new(201, shown);
    state.tokens.push(Token { value, installation, repos, permissions, expires_at });
    reply
}

/// Makes the App; a code is good once.
pub(super) fn convert_manifest(state: &mut State, parameters: &[String]) -> Reply {
    let Some(index) = state.manifests.iter().position(|(code, _)| *code == parameters[0]) else {
        return Reply::error(404, "Not Found");
    };
    let (_, manifest) = state.manifests.remove(index);
    let id = state.next_id();
    let webhook_url = manifest["hook_attributes"]["url"].as_str().map(str::to_owned);
    state.app = App { id, keys: Keys::generate(), webhook_secret: format!("secret-{id}"), webhook_url };
    let known = json!({
        "id": id,
        "slug": "assay-test",
        "name": manifest["name"],
        "html_url": format!("{}/apps/assay-test", state.url),
        "permissions": manifest["default_permissions"],
        "events": manifest["default_events"],
    });
    let mut shown = contract().sample("integration", &known);
    shown["client_id"] = json!("Iv1.test");
    shown["client_secret"] = json!("unused");
    shown["webhook_secret"] = json!(state.app.webhook_secret);
    shown["pem"] = json!(state.app.keys.private_pem);
    Reply::new(201, shown)
}

pub(super) fn installation_of(state: &State, parameters: &[String]) -> Reply {
    let name = format!("{}/{}", parameters[0], parameters[1]);
    match name.parse().ok().and_then(|name| state.installation_of(&name)) {
        Some(id) => Reply::new(200, contract().sample("installation", &json!({ "id": id, "app_id": state.app.id }))),
        None => Reply::error(404, "Not Found"),
    }
}

pub(super) fn deliveries(state: &State, request: &Request) -> Reply {
    let per_page = request.page().1;
    let before: Option<u64> = request.query("cursor").and_then(|cursor| cursor.strip_prefix("v1_")?.parse().ok());
    let older = |delivery: &&Delivery| before.is_none_or(|before| delivery.id < before);
    let page: Vec<&Delivery> = state.deliveries.iter().rev().filter(older).take(per_page + 1).collect();
    let shown: Vec<Value> = page.iter().take(per_page).map(|delivery| delivery_shown(delivery)).collect();
    let mut reply = Reply::new(200, Value::Array(shown));
    if page.len() > per_page {
        let last = page[per_page - 1].id;
        let next = format!("{}/app/hook/deliveries?per_page={per_page}&cursor=v1_{last}", state.url);
        reply.headers.push(("link", format!("<{next}>; rel=\"next\"")));
    }
    reply
}

fn delivery_shown(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": delivery.delivered_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "redelivery": delivery.redelivery,
        "duration": 0.1,
        "status": if (200..300).contains(&delivery.status_code) { "OK" } else { "failed to connect to host" },
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": null,
        "repository_id": null,
    })
}

/// Notes that the event is to be sent again; the fake sends it once the answer is on its way.
pub(super) fn redeliver(state: &mut State, parameters: &[String]) -> Reply {
    let Some(asked) = state.deliveries.iter().find(|delivery| delivery.id.to_string() == parameters[0]) else {
        return Reply::error(404, "Not Found");
    };
    let again = asked.clone();
    let id = state.next_id();
    state.outbox.push(Delivery { id, redelivery: true, status_code: 0, ..again });
    Reply::new(202, json!({}))
}

pub(super) fn permission(repo: &Repo, user: &str) -> Reply {
    let role = repo.collaborators.get(user).copied();
    let coarse = match role {
        Some("admin") => "admin",
        Some("maintain" | "write") => "write",
        Some(_) => "read",
        None => "none",
    };
    Reply::new(200, json!({ "permission": coarse, "role_name": role.unwrap_or("none"), "user": null }))
}
