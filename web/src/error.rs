//! What is shown instead of a page.

use askama::Template;

use crate::assets;

/// A page that could not be shown.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// HTTP's: 404, 500, …
    pub status: u16,
    /// `Page not found`
    pub title: String,
    /// A sentence or two: what happened and what to do now.
    pub message: String,
}

impl ErrorPage {
    pub fn render(&self) -> String {
        crate::html::render(self)
    }
}
