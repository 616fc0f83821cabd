//! Check runs on the forge, brought to the state that we hold.

use workflows::ids::Forge;

use crate::{
    app::App,
    store::{
        Change, Stored, keys,
        records::{Gate, HeadCommit, Repo},
    },
};

/// Shows a commit's state on its forge. The local forge has no check runs: there the pages and the API
/// show what we hold, and a concluded commit is done with.
pub async fn reconcile(app: &App, commit: &Stored<HeadCommit>) -> anyhow::Result<()> {
    let HeadCommit { repo, sha, gate, .. } = &commit.record;
    let Some(stored) = app.store.get::<Repo>(&keys::repo(repo)).await? else { return Ok(()) };
    match stored.record.forge {
        Forge::Local => {}
        Forge::Github => {}
    }
    match gate {
        Gate::Pending { .. } => Ok(()),
        Gate::Concluded(_) => {
            let mut change = Change::default();
            change.at(commit).delete(&keys::open_commit(repo, sha));
            app.store.commit(change).await?;
            Ok(())
        }
    }
}
