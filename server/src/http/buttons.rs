//! What the pages' forms ask for. Each records a fact and answers 303 to the page that shows what came of it.

use actix_web::{HttpResponse, web as http};
use serde::Deserialize;
use web::{SignInPage, urls};

use super::{
    api::repo_name,
    pages::{PageError, html},
    session::{Session, Visitor, end_cookie},
};
use crate::{
    acceptance,
    app::{SharedApp, same_secret},
    history, rerun,
    store::records::Via,
};

pub(super) fn routes(config: &mut http::ServiceConfig) {
    config
        .route("/sign-in", http::get().to(show_sign_in))
        .route("/sign-in", http::post().to(sign_in))
        .route("/sign-out", http::post().to(sign_out))
        .route("/{owner}/{repo}/runs/{number}/cancel", http::post().to(cancel))
        .route("/{owner}/{repo}/runs/{number}/rerun", http::post().to(again))
        .route("/{owner}/{repo}/runs/{number}/accept", http::post().to(accept));
}

fn see(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", address)).finish()
}

/// An address of ours, else the first page: `//host` and `/\host` are other hosts to a browser.
fn back(address: Option<String>) -> String {
    let ours = |address: &String| {
        address.starts_with('/') && !address[1..].starts_with(['/', '\\']) && !address.contains(char::is_control)
    };
    address.filter(ours).unwrap_or_else(|| "/".to_owned())
}

#[derive(Debug, Deserialize)]
struct Back {
    back: Option<String>,
}

async fn show_sign_in(app: http::Data<SharedApp>, visitor: Visitor, query: http::Query<Back>) -> HttpResponse {
    let form_token = visitor.0.map(|session| session.form_token(&app));
    html(SignInPage { back: back(query.into_inner().back), refused: false, form_token }.render())
}

#[derive(Deserialize)]
struct SignIn {
    secret: String,
    back: Option<String>,
}

async fn sign_in(app: http::Data<SharedApp>, form: http::Form<SignIn>) -> HttpResponse {
    let SignIn { secret, back: address } = form.into_inner();
    let address = back(address);
    if !same_secret(secret.trim().as_bytes(), app.credentials.api_token.as_bytes()) {
        return html(SignInPage { back: address, refused: true, form_token: None }.render());
    }
    let mut reply = see(&address);
    let cookie = Session::open(&app).set_cookie(&app).parse().expect("letters, digits and punctuation");
    reply.headers_mut().insert(actix_web::http::header::SET_COOKIE, cookie);
    reply
}

/// The token that every form carries.
#[derive(Debug, Deserialize)]
struct Signed {
    token: String,
}

async fn sign_out(
    app: http::Data<SharedApp>,
    visitor: Visitor,
    form: http::Form<Signed>,
) -> Result<HttpResponse, PageError> {
    visitor.signed_in()?.check(&app, &form.token)?;
    Ok(HttpResponse::SeeOther()
        .insert_header(("location", "/"))
        .insert_header(("set-cookie", end_cookie(&app)))
        .finish())
}

type OfRun = http::Path<(String, String, u64)>;

async fn cancel(
    app: http::Data<SharedApp>,
    visitor: Visitor,
    path: OfRun,
    form: http::Form<Signed>,
) -> Result<HttpResponse, PageError> {
    visitor.signed_in()?.check(&app, &form.token)?;
    let repo = repo_name(&path.0, &path.1)?;
    rerun::cancel(&app, &repo, path.2, "cancelled on its page").await?;
    Ok(see(&urls::run(&repo, path.2)))
}

async fn again(
    app: http::Data<SharedApp>,
    visitor: Visitor,
    path: OfRun,
    form: http::Form<Signed>,
) -> Result<HttpResponse, PageError> {
    visitor.signed_in()?.check(&app, &form.token)?;
    let repo = repo_name(&path.0, &path.1)?;
    rerun::rerun(&app, &repo, path.2).await?;
    Ok(see(&urls::run(&repo, path.2)))
}

#[derive(Deserialize)]
struct Accepted {
    token: String,
    reason: String,
    /// Whose decision it is.
    by: Option<String>,
}

async fn accept(
    app: http::Data<SharedApp>,
    visitor: Visitor,
    path: OfRun,
    form: http::Form<Accepted>,
) -> Result<HttpResponse, PageError> {
    let Accepted { token, reason, by } = form.into_inner();
    visitor.signed_in()?.check(&app, &token)?;
    let repo = repo_name(&path.0, &path.1)?;
    let run = history::run(&app, &repo, path.2).await?;
    let by = acceptance::holder(&app, &repo, by.as_deref(), Via::Page).await?;
    acceptance::accept(&app, &repo, &run.head, &acceptance::Request { by, reason, rules: vec![] }).await?;
    Ok(see(&urls::run(&repo, path.2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_sent_back_to_this_server_alone() {
        let to = |address: &str| back(Some(address.to_owned()));
        assert_eq!(to("/acme/digits/runs/3"), "/acme/digits/runs/3");
        for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "", "x", "/a\r\nb: c"] {
            assert_eq!(to(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
