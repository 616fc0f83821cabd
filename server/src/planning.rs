//! From an event to runs: which workflow files of the commit does it start?

mod actions;
mod file;

use jiff::Timestamp;
use workflows::{
    event::{Event, EventKind, short_ref},
    ids::{Forge, Sha},
    syntax::RefFilters,
};

use self::file::{FIRST_JOBS, MOST_CALLED, Scene};
use crate::{
    app::App,
    deliveries::{self, PlanError, Planned},
    digest::digest,
    forge::{ForgeError, WorkflowFile},
    gate,
    reconcile::Nudge,
    settings,
    store::{
        Change, Stored, keys,
        records::{Delivery, FileOutcome, Gate, HeadCommit, Planning, PolicySource, Repo, Timetable},
    },
    timetable,
};

/// Keys that a planned file may need beside its jobs.
const KEYS_PER_FILE: usize = 6 + MOST_CALLED;

/// Keys of the records around the files: repository, commit, delivery, timetable, each checked and written.
const KEYS_AROUND: usize = 11;

/// Plans an event. Each call plans as many files as fit into one commit, and the last one ends the
/// delivery: whatever was planned before a crash is not planned again.
pub async fn plan(
    app: &App,
    delivery: &Stored<Delivery>,
    event: Event,
    clone: String,
    installation: Option<u64>,
) -> Result<Planned, PlanError> {
    let now = app.clock.now();
    let head = event.kind.head().clone();
    let (repo_key, commit_key) = (keys::repo(&event.repo), keys::commit(&event.repo, &head));
    let repo = app.store.get::<Repo>(&repo_key).await?;
    let installation = installation.or(repo.as_ref().and_then(|repo| repo.record.installation));
    let installation = match (event.forge, installation) {
        (Forge::Github, None) => Some(app.forges.installation_of(&event.repo).await?),
        (Forge::Github | Forge::Local, known) => known,
    };
    let mut repo_record = Repo {
        name: event.repo.clone(),
        forge: event.forge,
        clone,
        default_branch: event.default_branch.clone(),
        installation,
        last_run: 0,
        active_at: now,
    };
    let delivery_name = format!("{}/{}", delivery.record.forge, delivery.record.guid);
    let known = app.store.get::<HeadCommit>(&commit_key).await?;
    let known = known.and_then(|commit| planning_of(&commit.record, &delivery_name).cloned());
    let is_new = known.is_none();
    let mut planning = match known {
        Some(planning) => planning,
        None => begin(app, &repo_record, &event, delivery_name, now).await?,
    };
    let source = source(&event, planning.base.as_ref()).clone();
    let files = app.forges.workflow_files(&repo_record, &source).await?;
    if is_new && event.kind.is_trusted() {
        planning.self_check = self_checks(app, &repo_record, &planning.policy, (&source, &files)).await?;
    }
    let changed = changed_paths(app, &repo_record, &event, planning.base.as_ref(), &files).await?;

    let actions = actions::read(app, &repo_record, &head, &files).await?;
    let vars = settings::vars(app, &event.repo).await?;

    // The forge was asked. From here on one event of a repository at a time: all of them count its runs.
    let _turn = app.turns.take(&event.repo).await;
    let repo = app.store.get::<Repo>(&repo_key).await?;
    repo_record.last_run = repo.as_ref().map_or(0, |repo| repo.record.last_run);
    let timetable = app.store.get::<Timetable>(&keys::timetable(&event.repo)).await?;
    let commit = app.store.get::<HeadCommit>(&commit_key).await?;
    let mut commit_record = match &commit {
        Some(commit) => commit.record.clone(),
        None => HeadCommit {
            repo: event.repo.clone(),
            sha: head.clone(),
            plannings: vec![],
            gate: Gate::Pending { since: now },
            gate_round: 0,
            wait: None,
            acceptances: vec![],
            repetitions: vec![],
        },
    };
    if let Some(known) = planning_of(&commit_record, &planning.delivery) {
        planning = known.clone();
    }
    let mut change = Change::default();
    let mut nudges = Vec::new();
    let mut complete = true;
    for file in files.iter().filter(|file| event.kind.means(&file.path)).skip(planning.files.len()) {
        if change.room() < KEYS_AROUND + KEYS_PER_FILE + FIRST_JOBS * crate::draft::KEYS_PER_JOB / 2 {
            complete = false;
            break;
        }
        if let Some(known) = known_as_broken(&commit_record, &file.path) {
            planning.files.push(known);
            continue;
        }
        let delivery = &delivery.record;
        let scene = Scene { app, event: &event, delivery, files: &files, actions: &actions, vars: &vars, now };
        let outcome = scene.plan_file(file, changed.as_deref(), &mut repo_record.last_run, &mut change);
        if let FileOutcome::Run { .. } | FileOutcome::Invalid { .. } = &outcome {
            // Something new is judged for this commit, whatever was concluded before.
            commit_record = commit_record.reopened(now);
        }
        if let FileOutcome::Run { number, .. } = &outcome {
            nudges.push(Nudge::Run { repo: event.repo.clone(), number: *number });
        }
        planning.files.push(outcome);
    }
    let summary = summary(&planning.files);
    if complete && timetable::teaches(&event) {
        let parsed: Vec<_> = files
            .iter()
            .filter_map(|file| {
                app.workflows.parse(&file.path, &digest(file.text.as_bytes()), &file.text).valid().cloned()
            })
            .collect();
        timetable::learn(&mut change, timetable.as_ref(), &event, parsed.iter().map(|workflow| &**workflow), now);
    }
    if complete && commit.is_none() && !needs_an_answer(&event, &planning.files) {
        if !files.is_empty() {
            // What a schedule or a person starts later is started in it.
            change.same(&repo_key, repo.as_ref()).put(repo_key, &repo_record);
        }
        return deliveries::finish_with(app, delivery, summary, change).await;
    }
    planning.complete = complete;
    match commit_record.plannings.iter_mut().find(|own| own.delivery == planning.delivery) {
        Some(own) => *own = planning,
        None => commit_record.plannings.push(planning),
    }
    change.same(&repo_key, repo.as_ref()).put(repo_key, &repo_record);
    change.same(&commit_key, commit.as_ref()).put(commit_key, &commit_record);
    change.mark(keys::open_commit(&event.repo, &head));
    if complete {
        deliveries::done(&mut change, delivery, now, summary);
    }
    if !app.store.commit(change).await? {
        return Ok(Planned::Again);
    }
    nudges.into_iter().for_each(|nudge| app.nudges.nudge(nudge));
    if !complete {
        return Ok(Planned::Again);
    }
    app.nudges.nudge(Nudge::Commit { repo: event.repo.clone(), sha: head });
    Ok(Planned::Done)
}

/// Whether the commit gets a gate although nothing is known of it yet. GitHub sends a push *and* an event of
/// the pull request: where no workflow wants the first, its `skipped`, which passes, would be there before
/// the second is judged.
fn needs_an_answer(event: &Event, files: &[FileOutcome]) -> bool {
    let wanted = files.iter().any(|file| match file {
        FileOutcome::Run { .. } | FileOutcome::Invalid { .. } | FileOutcome::Filtered { .. } => true,
        FileOutcome::NotSubscribed { .. } => false,
    });
    let requires = match &event.kind {
        EventKind::PullRequest { action, .. } => matches!(action.as_str(), "opened" | "synchronize" | "reopened"),
        EventKind::MergeGroup { .. } => true,
        EventKind::Push { .. }
        | EventKind::WorkflowDispatch { .. }
        | EventKind::RepositoryDispatch { .. }
        | EventKind::Schedule { .. } => false,
    };
    event.forge == Forge::Local || wanted || requires
}

fn planning_of<'a>(commit: &'a HeadCommit, delivery: &str) -> Option<&'a Planning> {
    commit.plannings.iter().find(|planning| planning.delivery == delivery)
}

/// One file at one commit is wrong for every event: it is said once.
fn known_as_broken(commit: &HeadCommit, path: &str) -> Option<FileOutcome> {
    let mut outcomes = commit.plannings.iter().flat_map(|planning| &planning.files);
    let broken = |outcome: &&FileOutcome| matches!(outcome, FileOutcome::Invalid { file, .. } if file == path);
    outcomes.find(broken).cloned()
}

/// What an event is compared with, and whose policy judges it.
async fn begin(app: &App, repo: &Repo, event: &Event, delivery: String, now: Timestamp) -> Result<Planning, PlanError> {
    let (base, policy) = match &event.kind {
        EventKind::PullRequest { head, base: tip, .. } | EventKind::MergeGroup { head, base: tip, .. } => {
            let base = app.forges.merge_base(repo, tip, head).await?;
            // Without a common commit, or one that the forge can find, the tip judges: never the change itself.
            let policy = PolicySource::Base { sha: base.clone().unwrap_or_else(|| tip.clone()) };
            (base, policy)
        }
        EventKind::Push { head, .. }
        | EventKind::WorkflowDispatch { head, .. }
        | EventKind::RepositoryDispatch { head, .. }
        | EventKind::Schedule { head, .. } => (app.forges.first_parent(repo, head).await?, PolicySource::Head),
    };
    Ok(Planning {
        delivery,
        event: event.kind.name().to_owned(),
        at: now,
        base,
        branch: base_branch(event),
        policy,
        self_check: 0.0,
        files: vec![],
        complete: false,
    })
}

/// How often the policy that judges wants the gate to check itself: of a change it is what it wants to change that
/// says so, as of everything else in the policy. `run` are the files that run, and of which commit they are.
async fn self_checks(
    app: &App,
    repo: &Repo,
    policy: &PolicySource,
    (of, run): (&Sha, &[WorkflowFile]),
) -> Result<f64, PlanError> {
    let share =
        |files: &[WorkflowFile]| gate::of_files(app, files).map_or(0.0, |(policy, _)| policy.defaults.self_check);
    match policy {
        PolicySource::Base { sha } if sha != of => match app.forges.workflow_files(repo, sha).await {
            Ok(files) => Ok(share(&files)),
            // The gate will say that the policy cannot be read; the runs need not wait for that.
            Err(ForgeError::Gone(_) | ForgeError::Unusable(_)) => Ok(0.0),
            Err(error @ ForgeError::Transient { .. }) => Err(error.into()),
        },
        PolicySource::Base { .. } | PolicySource::Head => Ok(share(run)),
    }
}

/// The branch that an event's base is on.
fn base_branch(event: &Event) -> Option<String> {
    match &event.kind {
        EventKind::PullRequest { base_ref, .. } | EventKind::MergeGroup { base_ref, .. } => {
            Some(short_ref(base_ref).to_owned())
        }
        EventKind::Push { git_ref, .. } => git_ref.strip_prefix("refs/heads/").map(str::to_owned),
        EventKind::WorkflowDispatch { .. } | EventKind::RepositoryDispatch { .. } | EventKind::Schedule { .. } => {
            Some(event.branch().to_owned())
        }
    }
}

/// Whose workflow files are run: of a fork's change the base's, since its author may not be trusted.
fn source<'a>(event: &'a Event, base: Option<&'a Sha>) -> &'a Sha {
    match &event.kind {
        EventKind::PullRequest { from_fork: true, base: tip, .. } => base.unwrap_or(tip),
        EventKind::PullRequest { head, .. }
        | EventKind::Push { head, .. }
        | EventKind::MergeGroup { head, .. }
        | EventKind::WorkflowDispatch { head, .. }
        | EventKind::RepositoryDispatch { head, .. }
        | EventKind::Schedule { head, .. } => head,
    }
}

/// Asked of the forge only where some filter needs it. None: unknown, and every path filter matches.
async fn changed_paths(
    app: &App,
    repo: &Repo,
    event: &Event,
    base: Option<&Sha>,
    files: &[WorkflowFile],
) -> Result<Option<Vec<String>>, PlanError> {
    let filters = |filters: Option<&RefFilters>| {
        filters.is_some_and(|filters| filters.paths.is_some() || filters.paths_ignore.is_some())
    };
    let wanted = files.iter().any(|file| {
        let parsed = app.workflows.parse(&file.path, &digest(file.text.as_bytes()), &file.text);
        parsed.workflow.is_some_and(|workflow| {
            filters(workflow.on.push.as_ref())
                || filters(workflow.on.pull_request.as_ref().map(|trigger| &trigger.filters))
        })
    });
    if !wanted {
        return Ok(None);
    }
    // A push changes what all of its commits change, not what its newest one does.
    let since = match &event.kind {
        EventKind::Push { before: Some(before), .. } => Some(before),
        EventKind::Push { before: None, .. }
        | EventKind::PullRequest { .. }
        | EventKind::MergeGroup { .. }
        | EventKind::WorkflowDispatch { .. }
        | EventKind::RepositoryDispatch { .. }
        | EventKind::Schedule { .. } => base,
    };
    match app.forges.changed_paths(repo, since, event.kind.head()).await {
        // What was there before a forced push may be gone.
        Err(ForgeError::Gone(_)) if since != base => {
            Ok(app.forges.changed_paths(repo, base, event.kind.head()).await?)
        }
        found => Ok(found?),
    }
}

fn summary(files: &[FileOutcome]) -> String {
    let mut runs: Vec<String> = Vec::new();
    for file in files {
        match file {
            FileOutcome::Run { number, .. } | FileOutcome::Invalid { number, .. } => runs.push(format!("#{number}")),
            FileOutcome::NotSubscribed { .. } | FileOutcome::Filtered { .. } => {}
        }
    }
    match runs.is_empty() {
        true => format!("none of {} workflow files wants it", files.len()),
        false => format!("runs {}", runs.join(", ")),
    }
}
