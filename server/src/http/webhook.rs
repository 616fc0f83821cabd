use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, de::IgnoredAny};
use workflows::ids::Forge;

use super::body;
use crate::{
    app::{App, SharedApp},
    error::ApiError,
    github::verify_signature,
    intake::{self, Accepted},
};

/// GitHub delivers nothing larger.
const MOST_BYTES: usize = 25 * 1024 * 1024;

/// Longest id of a delivery; GitHub's have 36 characters.
const LONGEST_GUID: usize = 100;

/// In this order: size, signature over the raw bytes, JSON; then recorded, and only then answered.
#[post("/webhooks/{forge}")]
pub(super) async fn receive(
    app: web::Data<SharedApp>,
    forge: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (forge, secret) = forge_of(&app, &forge)?;
    let body = body::limited(&request, payload, MOST_BYTES).await?;
    if !is_signed(secret, &body, header(&request, "x-hub-signature-256")) {
        return Err(ApiError::Unauthorized("the signature in x-hub-signature-256 is not of this body and secret"));
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::Invalid("the body is no JSON object; choose application/json at the webhook".to_owned()));
    }
    serde_json::from_slice::<Envelope<'_>>(&body)
        .map_err(|error| ApiError::Invalid(format!("the body is no JSON object: {error}")))?;
    let event = header(&request, "x-assay-event").or(header(&request, "x-github-event"));
    let event = event.ok_or_else(|| ApiError::Invalid("the header x-github-event is missing".to_owned()))?;
    let guid = header(&request, "x-assay-delivery").or(header(&request, "x-github-delivery"));
    let guid = guid.filter(|guid| !guid.is_empty() && guid.len() <= LONGEST_GUID);
    let guid =
        guid.ok_or_else(|| ApiError::Invalid("the header x-github-delivery is missing or too long".to_owned()))?;
    let accepted = intake::accept(&app, forge, event, guid, body).await?;
    let (mut reply, status) = match accepted {
        Accepted::New => (HttpResponse::Accepted(), "accepted"),
        Accepted::Ignored => (HttpResponse::Accepted(), "ignored"),
        Accepted::Duplicate => (HttpResponse::Ok(), "duplicate"),
        // What GitHub was not told to have arrived it sends again, once the recovery asks it to.
        Accepted::NotNow => (HttpResponse::ServiceUnavailable(), "another one of this body is being looked into"),
    };
    Ok(reply.json(serde_json::json!({ "status": status })))
}

fn forge_of<'a>(app: &'a App, name: &str) -> Result<(Forge, &'a str), ApiError> {
    let unknown = || ApiError::NotFound(format!("this server has no forge {name:?}"));
    match name {
        "local" => Ok((Forge::Local, &app.credentials.local_webhook)),
        "github" => Ok((Forge::Github, app.credentials.github_webhook.as_ref().ok_or_else(unknown)?)),
        _ => Err(unknown()),
    }
}

/// The body is an object; what is in it is read later. Nothing is copied.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, rename = "action")]
    _action: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, rename = "repository")]
    _repository: Option<IgnoredAny>,
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// Both forges sign as GitHub does. A delivery without the header is signed by nobody.
fn is_signed(secret: &str, body: &[u8], signature: Option<&str>) -> bool {
    signature.is_some_and(|signature| verify_signature(secret.as_bytes(), body, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn github_documents_this_signature() {
        // The example of GitHub's page on validating deliveries.
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_signed("It's a Secret to Everybody", b"Hello, World!", Some(signature)));
        assert!(!is_signed("It's a Secret to Everybody", b"Hello, World?", Some(signature)));
        assert!(!is_signed("another", b"Hello, World!", Some(signature)));
        assert!(!is_signed("", b"", None));
        assert!(!is_signed("", b"", Some("sha256=zz")));
    }
}
