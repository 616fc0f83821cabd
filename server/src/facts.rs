//! Numbers about the server itself, as Prometheus reads them.

use std::fmt::Write;

use crate::{
    app::App,
    store::{
        engine::Direction,
        keys::{self, Key},
    },
};

/// Counting stops here: beyond it the number says "many" well enough.
const MOST_COUNTED: usize = 100_000;

pub async fn prometheus(app: &App) -> anyhow::Result<String> {
    let gauges: [(&str, &str, Key); 6] = [
        ("assay_deliveries_open", "Deliveries accepted and not yet planned.", keys::open_deliveries()),
        ("assay_runs_open", "Runs that have not ended.", keys::open_runs()),
        ("assay_commits_open", "Head commits whose gate is not concluded or not yet shown.", keys::open_commits()),
        ("assay_jobs_queued", "Jobs that wait for a runner.", keys::queue()),
        ("assay_leases", "Jobs that a runner holds.", keys::leases()),
        ("assay_runners", "Runners that ever claimed a job.", keys::runners()),
    ];
    let mut text = String::new();
    for (name, help, prefix) in gauges {
        let count = app.store.scan_keys(&prefix, Direction::Forward, MOST_COUNTED).await?.len();
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {count}")?;
    }
    Ok(text)
}
