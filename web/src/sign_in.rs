//! `/sign-in`: for those who may press buttons.

use askama::Template;

use crate::assets;

/// Asks for the server's API token; signed in, offers to sign out.
#[derive(Debug, Clone, Template)]
#[template(path = "sign-in.html")]
pub struct SignInPage {
    /// Where to go afterwards; a path of this server.
    pub back: String,
    /// What was given is not the token.
    pub refused: bool,
    /// Of somebody who is signed in.
    pub form_token: Option<String>,
}

impl SignInPage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }
}
