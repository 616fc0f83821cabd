//! The REST API: a request, judged by the official description, applied to the state, answered from it.

mod apps;
mod checks;
mod contents;

pub(super) use checks::shown as check_run_shown;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    auth::check_jwt,
    contract::{OPERATIONS, contract},
    state::{Repo, Seen, State},
};

/// One request, as it came.
pub struct Request {
    pub method: String,
    /// Not decoded.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub authorization: Option<String>,
    pub body: Value,
}

impl Request {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Page and items to a page, as GitHub reads them.
    fn page(&self) -> (usize, usize) {
        let number = |name: &str, default| self.query(name).and_then(|value| value.parse().ok()).unwrap_or(default);
        (number("page", 1).max(1), number("per_page", 30).min(100))
    }
}

pub struct Reply {
    pub status: u16,
    pub body: Value,
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    fn error(status: u16, message: &str) -> Self {
        Self::new(
            status,
            json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() }),
        )
    }
}

/// Who asked.
enum Caller {
    App,
    Installation { token: usize },
}

/// Answers a request; none where the connection is to be dropped.
pub fn answer(state: &mut State, request: &Request) -> Option<Reply> {
    let Some((operation, parameters)) = route(&request.method, &request.path) else {
        state.violations.push(format!("asked for {} {}, which no test expects", request.method, request.path));
        return Some(Reply::error(404, "Not Found"));
    };
    let wrong = contract().request(operation, &request.query, &request.body);
    if !wrong.is_empty() {
        let what = format!("{} {} was asked for wrongly: {}", operation.0, request.path, wrong.join("; "));
        state.violations.push(what);
        return Some(Reply::error(422, "Invalid request."));
    }
    let fault = state.faults.iter().position(|(method, template, _)| (*method, *template) == operation);
    let fault = fault.map(|index| state.faults.remove(index).2);
    let now = Timestamp::now().as_second();
    let reply = match fault {
        Some(fault) if !fault.after() => fault.reply(now),
        Some(fault) => {
            let _lost = apply(state, operation, &parameters, request);
            fault.reply(now)
        }
        None => {
            let reply = apply(state, operation, &parameters, request);
            let wrong = contract().reply(operation, reply.status, &reply.body);
            if !wrong.is_empty() {
                let what =
                    format!("the fake's {} to {} {}: {}", reply.status, operation.0, request.path, wrong.join("; "));
                state.violations.push(what);
            }
            Some(reply)
        }
    };
    let status = reply.as_ref().map_or(0, |reply| reply.status);
    state.requests.push(Seen {
        method: request.method.clone(),
        path: request.path.clone(),
        status,
        at: Timestamp::now(),
    });
    reply
}

fn apply(state: &mut State, operation: (&str, &str), parameters: &[String], request: &Request) -> Reply {
    if operation.1 == "/app-manifests/{code}/conversions" {
        // The code is all there is to show.
        return apps::convert_manifest(state, parameters);
    }
    let caller = match authenticate(state, request) {
        Ok(caller) => caller,
        Err(message) => return Reply::error(401, &message),
    };
    match (operation.1, &caller) {
        ("/app/installations/{installation_id}/access_tokens", Caller::App) => {
            apps::create_token(state, parameters, request)
        }
        ("/repos/{owner}/{repo}/installation", Caller::App) => apps::installation_of(state, parameters),
        ("/app/hook/deliveries", Caller::App) => apps::deliveries(state, request),
        ("/app/hook/deliveries/{delivery_id}/attempts", Caller::App) => apps::redeliver(state, parameters),
        (template, Caller::App) => Reply::error(401, &format!("an App may not ask for {template}")),
        (template, Caller::Installation { token }) => {
            let (permission, level) = needed(operation);
            if let Err(reply) = allowed(state, *token, parameters, permission, level) {
                return reply;
            }
            let name = format!("{}/{}", parameters[0], parameters[1]);
            let rest = &parameters[2..];
            match operation {
                ("POST", "/repos/{owner}/{repo}/check-runs") => checks::create(state, &name, &request.body),
                ("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}") => {
                    checks::update(state, &name, &rest[0], &request.body)
                }
                ("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}") => checks::read(state, &name, &rest[0]),
                ("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs") => {
                    checks::list(state, &name, &rest[0], request)
                }
                ("GET", "/repos/{owner}/{repo}/contents/{path}") => {
                    contents::contents(state.repo(&name), &state.url, &rest[0], request)
                }
                ("GET", "/repos/{owner}/{repo}/git/commits/{commit_sha}") => {
                    contents::commit(state.repo(&name), &rest[0])
                }
                ("GET", "/repos/{owner}/{repo}/commits/{ref}") => contents::tip(state.repo(&name), &rest[0]),
                ("GET", "/repos/{owner}/{repo}/compare/{basehead}") => contents::compare(state.repo(&name), &rest[0]),
                ("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission") => {
                    apps::permission(state.repo(&name), &rest[0])
                }
                _ => Reply::error(403, &format!("Resource not accessible by integration: {template}")),
            }
        }
    }
}

/// The App's permission that an operation on a repository needs.
fn needed((method, template): (&str, &str)) -> (&'static str, &'static str) {
    match (method, template.contains("check-runs")) {
        ("GET", true) => ("checks", "read"),
        (_, true) => ("checks", "write"),
        (_, false) if template.contains("collaborators") => ("metadata", "read"),
        (_, false) => ("contents", "read"),
    }
}

fn authenticate(state: &State, request: &Request) -> Result<Caller, String> {
    let bearer = request.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    let bearer = bearer.ok_or("Requires authentication")?;
    if bearer.matches('.').count() == 2 {
        return check_jwt(bearer, state.app.id, &state.app.keys.public, Timestamp::now().as_second())
            .map(|()| Caller::App);
    }
    match state.tokens.iter().position(|token| token.value == bearer && token.expires_at > Timestamp::now()) {
        Some(token) => Ok(Caller::Installation { token }),
        None => Err("Bad credentials".to_owned()),
    }
}

/// A token sees the repositories that it is for (any other does not exist) and may do what it is for.
fn allowed(state: &State, token: usize, parameters: &[String], permission: &str, level: &str) -> Result<(), Reply> {
    let token = &state.tokens[token];
    let installation = state.installations.iter().find(|installation| installation.id == token.installation);
    let name = format!("{}/{}", parameters[0], parameters[1]);
    let installed = installation.is_some_and(|found| found.repos.iter().any(|repo| repo.as_str() == name));
    let scoped = token.repos.as_ref().is_none_or(|repos| repos.contains(&parameters[1]));
    if !installed || !scoped {
        return Err(Reply::error(404, "Not Found"));
    }
    let granted = match &token.permissions {
        None => Some("write"),
        Some(_) if permission == "metadata" => Some("read"),
        Some(permissions) => permissions.get(permission).map(String::as_str),
    };
    match (granted, level) {
        (Some("write"), _) | (Some("read"), "read") => Ok(()),
        _ => Err(Reply::error(403, "Resource not accessible by integration")),
    }
}

/// The operation that a path names, and its parameters, decoded. `{path}` takes all that is left.
fn route(method: &str, path: &str) -> Option<((&'static str, &'static str), Vec<String>)> {
    OPERATIONS.iter().filter(|(m, _)| *m == method).find_map(|&(method, template)| {
        let mut parameters = Vec::new();
        let mut given = path.split('/');
        for part in template.split('/') {
            if part == "{path}" {
                let all: Vec<&str> = given.by_ref().collect();
                parameters.push(decode(&all.join("/")));
            } else {
                let given = given.next()?;
                if part.starts_with('{') {
                    parameters.push(decode(given));
                } else if part != given {
                    return None;
                }
            }
        }
        given.next().is_none().then_some(((method, template), parameters))
    })
}

/// Undoes percent encoding.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
        } else {
            bytes.push(if byte == b'+' { b' ' } else { byte });
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn open(repo: &Repo) -> git2::Repository {
    git2::Repository::open_bare(&repo.path).expect("the repository is there as long as the fake is")
}
