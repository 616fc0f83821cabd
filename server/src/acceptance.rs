//! Accepting a failed gate: a named person's recorded decision, bound to one head commit.
//!
//! The decision is a fact like any other: it is written with the commit and into the audit trail at once, then
//! the gate is judged anew. It holds while the same rules say the same numbers against the same base; a push
//! makes another head, a retarget another base, a new evaluation other numbers, and each of them voids it.

use workflows::{
    gate::{Answer, Policy, RuleVerdict, Verdict},
    ids::{RepoName, Sha},
    report,
    run::Conclusion,
};

use crate::{
    app::App,
    deliveries::{self, PlanError, Planned},
    error::ApiError,
    forge::{CheckAction, ForgeError},
    gate,
    reconcile::Nudge,
    store::{
        Change, Stored,
        engine::Direction,
        keys,
        records::{Acceptance, AcceptedRule, Acceptor, Binding, Delivery, Gate, GateReport, HeadCommit, Repo, Via},
    },
};

/// The button on the check run.
const BUTTON: &str = "accept";

/// Decisions on one commit; more than one or two is a quarrel.
const MOST: usize = 20;

/// Characters of a reason.
const LONGEST_REASON: usize = 1000;

/// Newest decisions that a merged commit is compared with.
const MOST_INHERITED: usize = 50;

/// What someone wants to accept.
#[derive(Debug)]
pub struct Request {
    pub by: Acceptor,
    pub reason: String,
    /// Metrics as the rules name them; empty: all that stand in the way.
    pub rules: Vec<String>,
}

/// Records a decision and judges the commit anew. Durable when it returns.
pub async fn accept(app: &App, repo: &RepoName, sha: &Sha, request: &Request) -> Result<Acceptance, ApiError> {
    let reason = request.reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(ApiError::Invalid(format!("a reason of 1 to {LONGEST_REASON} characters is needed")));
    }
    loop {
        let key = keys::commit(repo, sha);
        let commit = app.store.get::<HeadCommit>(&key).await?;
        let commit = commit.ok_or_else(|| ApiError::NotFound(format!("nothing is known of {sha}")))?;
        let acceptance = decide(app, &commit.record, request, reason)?;
        let mut record = commit.record.clone();
        if record.acceptances.len() >= MOST {
            return Err(ApiError::Conflict(format!("{MOST} decisions were recorded for this commit already")));
        }
        record.acceptances.push(acceptance.clone());
        record = record.reopened(app.clock.now());
        let mut change = Change::default();
        change.at(&commit).put(key, &record).mark(keys::open_commit(repo, sha));
        change.put(keys::audited(repo, acceptance.at, sha), &acceptance);
        if app.store.commit(change).await? {
            tracing::info!(%repo, %sha, by = acceptance.by.name, reason, "gate accepted");
            // Whoever asked sees the new answer; where this fails the sweep does it.
            if let Err(error) = gate::reconcile(app, repo, sha).await {
                tracing::error!(error = format!("{error:#}"), "judging an accepted commit failed");
            }
            app.nudges.nudge(Nudge::Commit { repo: repo.clone(), sha: sha.clone() });
            return Ok(acceptance);
        }
    }
}

/// The record of a decision, if there is something to decide.
fn decide(app: &App, commit: &HeadCommit, request: &Request, reason: &str) -> Result<Acceptance, ApiError> {
    let Gate::Concluded(report) = &commit.gate else {
        return Err(ApiError::Conflict("the gate is still being judged".to_owned()));
    };
    let open = open_rules(report);
    if open.is_empty() {
        return Err(ApiError::Conflict(format!("there is no failed rule to accept: {}", report.title)));
    }
    for metric in &request.rules {
        if !open.iter().any(|rule| rule.metric == *metric) {
            let names: Vec<&str> = open.iter().map(|rule| rule.metric.as_str()).collect();
            let message = format!("the rule `{metric}` does not stand in the way; {} do", names.join(", "));
            return Err(ApiError::Invalid(message));
        }
    }
    let wanted = |rule: &&RuleVerdict| request.rules.is_empty() || request.rules.contains(&rule.metric);
    Ok(Acceptance {
        repo: commit.repo.clone(),
        sha: commit.sha.clone(),
        base: report.base.clone(),
        by: request.by.clone(),
        at: app.clock.now(),
        reason: reason.to_owned(),
        rules: open.into_iter().filter(wanted).map(AcceptedRule::of).collect(),
        binding: report.binding.clone(),
    })
}

/// Lines that stand in the way of a merge: what failed; with a strict policy also what could not be told.
fn open_rules(report: &GateReport) -> Vec<&RuleVerdict> {
    let Some(verdict) = report.verdict.as_ref().filter(|_| !report.conclusion.passes()) else { return Vec::new() };
    let failed: Vec<&RuleVerdict> = verdict.rules.iter().filter(|rule| rule.verdict == Answer::Fail).collect();
    match failed.is_empty() {
        true => verdict.rules.iter().filter(|rule| rule.verdict != Answer::Pass).collect(),
        false => failed,
    }
}

/// Whether a person could do something about this report.
pub fn can_be_accepted(report: &GateReport) -> bool {
    !open_rules(report).is_empty()
}

/// The buttons of the gate's check run.
pub fn buttons(report: &GateReport) -> Vec<CheckAction> {
    let button = || CheckAction {
        label: "Accept".to_owned(),
        description: "Merge in spite of the failed rules".to_owned(),
        identifier: BUTTON.to_owned(),
    };
    can_be_accepted(report).then(button).into_iter().collect()
}

/// The decision that holds for a verdict, if any: the newest one that covers something of the same base, workflow
/// and data.
pub(crate) fn holding<'a>(
    acceptances: impl DoubleEndedIterator<Item = &'a Acceptance>,
    verdict: &Verdict,
    binding: &Binding,
) -> Option<&'a Acceptance> {
    let covers = |acceptance: &Acceptance| {
        acceptance.base == binding.base
            && acceptance.binding.as_ref().is_none_or(|bound| bound.agrees(binding))
            && acceptance.rules.iter().any(|accepted| verdict.rules.iter().any(|rule| accepted.covers(rule)))
    };
    acceptances.rev().find(|acceptance| covers(acceptance))
}

/// How the check run concludes with a decision: what was accepted does not block, everything else does as before.
pub(crate) fn conclusion(verdict: &Verdict, policy: &Policy, acceptance: &Acceptance) -> Conclusion {
    let accepted = |rule: &&RuleVerdict| acceptance.rules.iter().any(|accepted| accepted.covers(rule));
    let rest: Vec<RuleVerdict> = verdict.rules.iter().filter(|rule| !accepted(rule)).cloned().collect();
    let left = Verdict { verdict: Answer::Pass, rules: rest, ..verdict.clone() };
    match report::conclusion(&left, &policy.defaults) {
        // Not a success: it is worse than the rules allow, and someone wants it so.
        Conclusion::Success => Conclusion::Neutral,
        other => other,
    }
}

/// Decisions that may have come with a merge: a merged commit has the numbers that were accepted, and is no
/// new question. Its values are the baseline of what comes after.
pub(crate) async fn merged(app: &App, repo: &RepoName) -> Result<Vec<Acceptance>, crate::store::StoreError> {
    let newest = app.store.scan::<Acceptance>(&keys::audit(repo), Direction::Reverse, MOST_INHERITED).await?;
    Ok(newest.into_iter().rev().map(|stored| stored.record).collect())
}

/// The audit trail of a repository, newest first.
pub async fn audit(app: &App, repo: &RepoName, limit: usize) -> Result<Vec<Acceptance>, ApiError> {
    let newest = app.store.scan::<Acceptance>(&keys::audit(repo), Direction::Reverse, limit).await?;
    Ok(newest.into_iter().map(|stored| stored.record).collect())
}

/// What someone pressed on the check run, and who.
#[derive(Debug)]
pub(crate) struct Pressed<'a> {
    pub(crate) repo: &'a RepoName,
    pub(crate) head: &'a Sha,
    pub(crate) external_id: &'a str,
    pub(crate) identifier: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) actor_id: Option<u64>,
}

/// A button of ours was pressed on the forge, which is asked what the person may do.
pub(crate) async fn pressed(
    app: &App,
    delivery: &Stored<Delivery>,
    pressed: &Pressed<'_>,
) -> Result<Planned, PlanError> {
    let Pressed { repo, head, external_id, identifier, actor, actor_id } = *pressed;
    if identifier != BUTTON || !external_id.starts_with(&format!("gate/{head}")) {
        let outcome = format!("ignored: this server offers no button {identifier:?} there");
        return deliveries::finish(app, delivery, outcome).await;
    }
    let Some(stored) = app.store.get::<Repo>(&keys::repo(repo)).await? else {
        return deliveries::finish(app, delivery, "ignored: nothing is known of the repository".to_owned()).await;
    };
    if !app.forges.is_maintainer(&stored.record, actor).await? {
        let outcome = format!("refused: {actor} does not maintain {repo}");
        return deliveries::finish(app, delivery, outcome).await;
    }
    let by = Acceptor { name: actor.to_owned(), account: actor_id, via: Via::CheckRun };
    // GitHub's button has no room for a text.
    let request = Request { by, reason: "accepted on the check run".to_owned(), rules: vec![] };
    let outcome = match accept(app, repo, head, &request).await {
        Ok(_) => format!("accepted by {actor}"),
        Err(ApiError::Internal(error)) => return Err(error.into()),
        Err(error) => format!("not accepted: {error}"),
    };
    deliveries::finish(app, delivery, outcome).await
}

/// Who presents the API token: on GitHub as an account that maintains the repository, elsewhere by any name.
pub async fn holder(app: &App, repo: &RepoName, name: Option<&str>, via: Via) -> Result<Acceptor, ApiError> {
    let name =
        name.map(str::trim).filter(|name| !name.is_empty()).map(|name| name.chars().take(100).collect::<String>());
    let stored = app.store.get::<Repo>(&keys::repo(repo)).await?;
    let stored = stored.ok_or_else(|| ApiError::NotFound(format!("{repo} has sent no event")))?;
    match (stored.record.forge, name) {
        (workflows::ids::Forge::Local, name) => {
            let name = name.unwrap_or_else(|| "the holder of the API token".to_owned());
            Ok(Acceptor { name, account: None, via })
        }
        (workflows::ids::Forge::Github, None) => {
            Err(ApiError::Invalid("`by` is missing: whose decision is it, by the account on GitHub?".to_owned()))
        }
        (workflows::ids::Forge::Github, Some(name)) => match app.forges.is_maintainer(&stored.record, &name).await {
            Ok(true) => Ok(Acceptor { name, account: None, via }),
            Ok(false) => Err(ApiError::Forbidden(format!("{name} does not maintain {repo}"))),
            Err(ForgeError::Transient { reason, .. } | ForgeError::Gone(reason) | ForgeError::Unusable(reason)) => {
                Err(ApiError::Conflict(format!("GitHub could not be asked what {name} may do: {reason}")))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(answers: &[(Answer, f64)]) -> Verdict {
        let rule = |(index, (answer, head)): (usize, &(Answer, f64))| {
            serde_json::from_value(serde_json::json!({
                "metric": format!("m{index}"), "evaluation": "eval", "allowed": "max-drop: 1pp", "head": head,
                "base": 0.9, "change": head - 0.9, "interval": null, "test": "tango", "p": 0.001, "n": 10,
                "discordant": null, "detectable": null, "verdict": answer, "reason": "",
            }))
            .unwrap()
        };
        Verdict {
            verdict: Answer::Fail,
            rules: answers.iter().enumerate().map(rule).collect(),
            flips: vec![],
            flipped: workflows::gate::Discordant::default(),
            nondeterministic: vec![],
        }
    }

    fn binding(base: Option<&str>, data: u8) -> Binding {
        let digest = |n: u8| workflows::ids::Digest::from_sha256([n; 32]);
        Binding {
            head: "a".repeat(40).parse().unwrap(),
            base: base.map(|base| base.repeat(40).parse().unwrap()),
            workflows: [("ci.yml".to_owned(), digest(1))].into(),
            datasets: [("eval/eval".to_owned(), digest(data))].into(),
        }
    }

    fn acceptance(verdict: &Verdict, base: &str) -> Acceptance {
        Acceptance {
            repo: "acme/digits".parse().unwrap(),
            sha: "a".repeat(40).parse().unwrap(),
            base: Some(base.repeat(40).parse().unwrap()),
            by: Acceptor { name: "ada".to_owned(), account: Some(7), via: Via::Api },
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            reason: "meant".to_owned(),
            rules: verdict.rules.iter().filter(|r| r.verdict == Answer::Fail).map(AcceptedRule::of).collect(),
            binding: Some(binding(Some(base), 2)),
        }
    }

    #[test]
    fn it_holds_for_its_base_its_workflow_its_data_and_its_numbers_alone() {
        let judged = verdict(&[(Answer::Fail, 0.8), (Answer::Pass, 0.9)]);
        let given = [acceptance(&judged, "b")];
        let holds = |verdict: &Verdict, binding: &Binding| holding(given.iter(), verdict, binding).is_some();
        let same = binding(Some("b"), 2);
        assert!(holds(&judged, &same));
        assert!(!holds(&judged, &binding(Some("c"), 2)), "another base");
        assert!(!holds(&judged, &binding(None, 2)), "no base");
        assert!(!holds(&judged, &binding(Some("b"), 3)), "other data");
        let [other] = [workflows::ids::Digest::from_sha256([9; 32])];
        let edited = Binding { workflows: [("ci.yml".to_owned(), other.clone())].into(), ..same.clone() };
        assert!(!holds(&judged, &edited), "another workflow");
        // After the merge a workflow for pushes may run as well.
        let more = [("ci.yml".to_owned(), same.workflows["ci.yml"].clone()), ("nightly.yml".to_owned(), other)];
        assert!(holds(&judged, &Binding { workflows: more.into(), ..same.clone() }));
        assert!(!holds(&verdict(&[(Answer::Fail, 0.5), (Answer::Pass, 0.9)]), &same), "other numbers");
    }

    #[test]
    fn what_was_not_accepted_still_blocks() {
        let policy = Policy::default();
        let judged = verdict(&[(Answer::Fail, 0.8), (Answer::Pass, 0.9)]);
        let given = acceptance(&judged, "b");
        assert_eq!(conclusion(&judged, &policy, &given), Conclusion::Neutral);
        let more = verdict(&[(Answer::Fail, 0.8), (Answer::Fail, 0.7)]);
        assert_eq!(conclusion(&more, &policy, &given), Conclusion::Failure);
    }
}
