//! The pages: plain structs filled by the server, rendered to HTML by askama templates.
//!
//! Nothing here speaks HTTP or opens the store. A page is a struct with ready data (times, states, numbers; an
//! `Option` where something is not known) and a `render` method; [`urls`] is the one list of addresses that the
//! pages link to and that the server mounts; [`asset`] are the files they load, named by their content.
//!
//! The pages need no script: a page of something that is still going on reloads itself by a `<noscript>` refresh, and
//! with scripts `app.js` fetches the same page and exchanges the parts that changed. There is no inline script and no
//! inline style, so that [`CONTENT_SECURITY_POLICY`] can forbid both.
//!
//! Reading order: [`RepositoriesPage`], [`RunsPage`], [`RunPage`], [`JobPage`], [`MetricPage`], [`ComparePage`], [`SelfChecksPage`],
//! [`SignInPage`], [`ErrorPage`]; then the parts: `status` (icon and word of a state), `verdict` (the gate's table), `interval` and
//! `chart` (SVG), `log` and `ansi`, `number` and `format`.

mod ansi;
mod assets;
mod chart;
mod compare;
mod error;
mod format;
mod html;
mod interval;
mod job;
mod log;
mod metric;
mod number;
mod repositories;
mod run;
mod run_header;
mod runs;
mod self_checks;
mod sign_in;
mod status;
pub mod urls;
mod verdict;

pub use assets::asset;
pub use compare::{ComparePage, Compared};
pub use error::ErrorPage;
pub use job::{JobLink, JobPage};
pub use log::LogView;
pub use metric::{MetricPage, MetricPoint};
pub use repositories::{LastRun, RepositoriesPage, RepositoryRow, Trend};
pub use run::{
    Acceptance, Actions, ArtifactView, AttemptView, DiagnosticView, EvaluationView, GateView, JobView, RunPage,
};
pub use run_header::RunHeader;
pub use runs::{HeadlineMetric, RunFilter, RunRow, RunsPage};
pub use self_checks::{SelfCheckRow, SelfChecksPage};
pub use sign_in::SignInPage;
pub use status::Status;

/// What every page may do, for the header of the same name: load our own styles, script and pictures, fetch from and
/// post to ourselves; nothing inline, nothing from elsewhere, never inside another page's frame.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
