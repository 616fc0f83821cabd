//! Who may press the buttons on the pages: whoever showed the API token to `/sign-in` with this browser.
//!
//! Nothing is stored. The cookie says until when it holds, with a random part, signed by the API token; so a new
//! token signs everybody out. It is `HttpOnly` and `SameSite=Lax`, and every form carries a second signature over the
//! cookie, which another site's page can neither read nor make: a click there moves nothing here.

use std::{convert::Infallible, future::Ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use rand::RngExt;
use sha2::Sha256;

use crate::{
    app::{App, SharedApp, same_secret},
    error::ApiError,
};

const COOKIE: &str = "assay-session";

/// How long one is signed in.
const SECONDS: i64 = 7 * 24 * 3600;

/// What is signed: a signature for one use is none for another.
#[derive(Clone, Copy)]
enum Use {
    Cookie,
    Form,
}

/// Somebody signed in.
pub(super) struct Session {
    /// `EXPIRY.NONCE.SIGNATURE`
    cookie: String,
}

impl Session {
    pub(super) fn open(app: &App) -> Self {
        let expires = app.clock.now().as_second() + SECONDS;
        let claim = format!("{expires}.{}", hex::encode(rand::rng().random::<[u8; 16]>()));
        let signature = sign(app, Use::Cookie, &claim);
        Self { cookie: format!("{claim}.{signature}") }
    }

    fn read(app: &App, request: &HttpRequest) -> Option<Self> {
        let headers = request.headers().get_all("cookie").filter_map(|header| header.to_str().ok());
        let pairs = headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let cookie = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned()).next()?;
        is_valid(app, &cookie, app.clock.now()).then_some(Self { cookie })
    }

    /// The field `token` of this session's forms.
    pub(super) fn form_token(&self, app: &App) -> String {
        sign(app, Use::Form, &self.cookie)
    }

    /// Whether a form came from a page of ours.
    pub(super) fn check(&self, app: &App, token: &str) -> Result<(), ApiError> {
        match same_secret(self.form_token(app).as_bytes(), token.as_bytes()) {
            true => Ok(()),
            false => Err(ApiError::Unauthorized("this form is out of date: go back, load the page again, and retry")),
        }
    }

    /// The header `set-cookie`.
    pub(super) fn set_cookie(&self, app: &App) -> String {
        cookie(app, &self.cookie, SECONDS)
    }
}

/// The header that ends a session.
pub(super) fn end_cookie(app: &App) -> String {
    cookie(app, "", 0)
}

fn cookie(app: &App, value: &str, seconds: i64) -> String {
    let secure = if app.public_url.starts_with("https://") { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

fn is_valid(app: &App, cookie: &str, now: Timestamp) -> bool {
    let Some((claim, signature)) = cookie.rsplit_once('.') else { return false };
    let expires = claim.split_once('.').and_then(|(expires, _)| expires.parse::<i64>().ok());
    let signed = same_secret(sign(app, Use::Cookie, claim).as_bytes(), signature.as_bytes());
    signed && expires.is_some_and(|expires| expires > now.as_second())
}

fn sign(app: &App, purpose: Use, text: &str) -> String {
    let key = app.credentials.api_token.as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(match purpose {
        Use::Cookie => b"cookie\n",
        Use::Form => b"form\n",
    });
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Whoever looks at a page: signed in, or not.
pub(super) struct Visitor(pub(super) Option<Session>);

impl Visitor {
    pub(super) fn signed_in(self) -> Result<Session, ApiError> {
        self.0.ok_or(ApiError::Unauthorized("sign in first, with the server's API token"))
    }
}

impl FromRequest for Visitor {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<SharedApp>>().expect("every route has it");
        std::future::ready(Ok(Self(Session::read(app, request))))
    }
}
