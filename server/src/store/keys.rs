//! Every key of the store. Composite and order-preserving: texts end with a zero byte, numbers are
//! big-endian, so that a prefix is a question ("runs of this branch") and the order is the answer's.
//!
//! | family | key | record |
//! |---|---|---|
//! | `repo` | repository | [`Repo`](super::records::Repo) |
//! | `delivery` | forge, guid | [`Delivery`](super::records::Delivery) |
//! | `body` | forge, SHA-256 of the body | the body: what a delivery said, and that it was said before |
//! | `doubted-body` | forge, SHA-256 of the body | nothing: a delivery that repeats it is looked into |
//! | `open-delivery` | forge, guid | nothing: it is not done with yet |
//! | `text` | digest | a workflow file |
//! | `run` | repository, number | [`Run`](super::records::Run) |
//! | `open-run` | repository, number | nothing: it has not ended |
//! | `run-of` | repository, branch or none, conclusion or none, number | nothing: the filters of the run list |
//! | `job` | repository, number, attempt, job key | [`Job`](super::records::Job) |
//! | `queue` | since, job | [`Queued`](super::records::Queued) |
//! | `lease` | id | [`Lease`](super::records::Lease) |
//! | `telemetry` | job, time | samples |
//! | `artifact` | repository, number, name | [`Artifact`](super::records::Artifact) |
//! | `evaluation` | repository, `trusted` or `untrusted`, digest of what it is a function of | [`Evaluation`](workflows::evaluation::Evaluation) |
//! | `commit` | repository, commit | [`HeadCommit`](super::records::HeadCommit) |
//! | `open-commit` | repository, commit | nothing: its gate is not concluded, or the forge not told |
//! | `check` | repository, external id | [`PostedCheck`](super::records::PostedCheck) |
//! | `audit` | repository, time, commit | [`Acceptance`](super::records::Acceptance) |
//! | `self-check` | repository, head commit | [`SelfChecked`](super::records::SelfChecked) |
//! | `metric` | repository, branch, metric, time, run, evaluation | [`MetricPoint`](super::records::MetricPoint) |
//! | `runner` | name | [`Runner`](super::records::Runner) |
//! | `group` | repository, concurrency group | [`ConcurrencyGroup`](super::records::ConcurrencyGroup) |
//! | `secret` | repository, name | [`Secret`](super::records::Secret) |
//! | `timetable` | repository | [`Timetable`](super::records::Timetable) |
//! | `variable` | repository, name | [`Variable`](super::records::Variable) |

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use workflows::{
    ids::{Digest, Forge, JobKey, RepoName, Sha},
    run::Conclusion,
    settings::SettingName,
};

use super::records::JobRef;
use crate::digest::beginning;

/// A longer text is cut, and told apart by its hash: the engine's keys have a greatest length. Only
/// repositories' names, which are read back from keys, may be longer.
const LONGEST_TEXT: usize = 120;

fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..16])
}

/// A key, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    fn family(name: &str) -> Self {
        Self(Vec::with_capacity(64)).text(name)
    }

    fn text(self, text: &str) -> Self {
        match text.len() <= LONGEST_TEXT {
            true => self.whole(text),
            false => self.whole(&format!("{}~{}", beginning(text, LONGEST_TEXT / 2), short_hash(text))),
        }
    }

    fn repo(self, repo: &RepoName) -> Self {
        self.whole(repo.as_str())
    }

    fn whole(mut self, text: &str) -> Self {
        // A zero would end the text early; git and our names allow none, a header might hold one.
        self.0.extend(text.bytes().map(|byte| if byte == 0 { 1 } else { byte }));
        self.0.push(0);
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn time(self, time: Timestamp) -> Self {
        self.number(u64::try_from(time.as_nanosecond()).unwrap_or(0))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The first key that is greater than every key with this prefix.
    pub fn after_prefix(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        while let Some(last) = bytes.pop() {
            if last < u8::MAX {
                bytes.push(last + 1);
                break;
            }
        }
        bytes
    }
}

pub fn repos() -> Key {
    Key::family("repo")
}

pub fn repo(repo: &RepoName) -> Key {
    repos().repo(repo)
}

pub fn delivery(forge: Forge, guid: &str) -> Key {
    Key::family("delivery").text(&forge.to_string()).text(guid)
}

pub fn body(forge: Forge, digest: &Digest) -> Key {
    Key::family("body").text(&forge.to_string()).text(digest.hex())
}

pub fn doubted_body(forge: Forge, digest: &Digest) -> Key {
    Key::family("doubted-body").text(&forge.to_string()).text(digest.hex())
}

pub fn open_deliveries() -> Key {
    Key::family("open-delivery")
}

pub fn open_delivery(forge: Forge, guid: &str) -> Key {
    open_deliveries().text(&forge.to_string()).text(guid)
}

pub fn text(digest: &Digest) -> Key {
    Key::family("text").text(digest.hex())
}

pub fn runs(repo: &RepoName) -> Key {
    Key::family("run").repo(repo)
}

pub fn run(repo: &RepoName, number: u64) -> Key {
    runs(repo).number(number)
}

pub fn open_runs() -> Key {
    Key::family("open-run")
}

pub fn open_run(repo: &RepoName, number: u64) -> Key {
    open_runs().repo(repo).number(number)
}

/// All branches of a repository that have runs.
pub fn branches(repo: &RepoName) -> Key {
    Key::family("run-of").repo(repo)
}

/// All runs of a branch.
pub fn branch(repo: &RepoName, name: &str) -> Key {
    branches(repo).text(name)
}

/// Runs of a repository by branch, by conclusion, or by both; the number follows.
pub fn runs_of(repo: &RepoName, branch: Option<&str>, conclusion: Option<Conclusion>) -> Key {
    self::branch(repo, branch.unwrap_or_default()).text(conclusion.map(Conclusion::as_str).unwrap_or_default())
}

pub fn run_of(repo: &RepoName, branch: Option<&str>, conclusion: Option<Conclusion>, number: u64) -> Key {
    runs_of(repo, branch, conclusion).number(number)
}

pub fn jobs(repo: &RepoName, run: u64, attempt: u32) -> Key {
    Key::family("job").repo(repo).number(run).number(attempt.into())
}

pub fn job(job: &JobRef) -> Key {
    jobs(&job.repo, job.run, job.attempt).text(job.key.as_str())
}

pub fn queue() -> Key {
    Key::family("queue")
}

pub fn queued(since: Timestamp, job: &JobRef) -> Key {
    let key = queue().time(since).repo(&job.repo);
    key.number(job.run).number(job.attempt.into()).text(job.key.as_str())
}

pub fn leases() -> Key {
    Key::family("lease")
}

pub fn lease(id: &str) -> Key {
    leases().text(id)
}

pub fn telemetry_of(job: &JobRef) -> Key {
    let key = Key::family("telemetry").repo(&job.repo);
    key.number(job.run).number(job.attempt.into()).text(job.key.as_str())
}

pub fn telemetry(job: &JobRef, at: Timestamp) -> Key {
    telemetry_of(job).time(at)
}

pub fn artifacts(repo: &RepoName, run: u64) -> Key {
    Key::family("artifact").repo(repo).number(run)
}

pub fn artifact(repo: &RepoName, run: u64, name: &str) -> Key {
    artifacts(repo, run).text(name)
}

pub fn evaluation(repo: &RepoName, trusted: bool, key: &Digest) -> Key {
    Key::family("evaluation").repo(repo).text(if trusted { "trusted" } else { "untrusted" }).text(key.hex())
}

pub fn commit(repo: &RepoName, sha: &Sha) -> Key {
    Key::family("commit").repo(repo).text(sha.as_str())
}

pub fn open_commits() -> Key {
    Key::family("open-commit")
}

pub fn open_commits_of(repo: &RepoName) -> Key {
    open_commits().repo(repo)
}

pub fn open_commit(repo: &RepoName, sha: &Sha) -> Key {
    open_commits_of(repo).text(sha.as_str())
}

/// Decisions about a repository's gates, in the order of time.
pub fn audit(repo: &RepoName) -> Key {
    Key::family("audit").repo(repo)
}

pub fn audited(repo: &RepoName, at: Timestamp, sha: &Sha) -> Key {
    audit(repo).time(at).text(sha.as_str())
}

/// The gate's judgements of bases against themselves: one for a head commit, however often it is judged.
pub fn timetables() -> Key {
    Key::family("timetable")
}

pub fn timetable(repo: &RepoName) -> Key {
    timetables().repo(repo)
}

pub fn self_checks(repo: &RepoName) -> Key {
    Key::family("self-check").repo(repo)
}

pub fn self_checked(repo: &RepoName, head: &Sha) -> Key {
    self_checks(repo).text(head.as_str())
}

pub fn check(repo: &RepoName, external_id: &str) -> Key {
    Key::family("check").repo(repo).text(external_id)
}

pub fn metrics(repo: &RepoName, branch: &str) -> Key {
    Key::family("metric").repo(repo).text(branch)
}

pub fn metric(repo: &RepoName, branch: &str, metric: &str) -> Key {
    metrics(repo, branch).text(metric)
}

pub fn metric_point(
    repo: &RepoName,
    branch: &str,
    name: &str,
    at: Timestamp,
    run: u64,
    job: &JobKey,
    eval: &str,
) -> Key {
    metric(repo, branch, name).time(at).number(run).text(job.as_str()).text(eval)
}

pub fn runners() -> Key {
    Key::family("runner")
}

pub fn runner(name: &str) -> Key {
    runners().text(name)
}

/// Names of groups do not differ by case.
pub fn group(repo: &RepoName, name: &str) -> Key {
    Key::family("group").repo(repo).text(&name.to_lowercase())
}

pub fn secrets(repo: &RepoName) -> Key {
    Key::family("secret").repo(repo)
}

pub fn secret(repo: &RepoName, name: &SettingName) -> Key {
    secrets(repo).text(name.as_str())
}

pub fn variables(repo: &RepoName) -> Key {
    Key::family("variable").repo(repo)
}

pub fn variable(repo: &RepoName, name: &SettingName) -> Key {
    variables(repo).text(name.as_str())
}

/// The parts of a key that was made of texts after its family, as scans return it.
pub fn texts(key: &[u8]) -> Vec<String> {
    let parts = key.split(|byte| *byte == 0).skip(1);
    parts.filter(|part| !part.is_empty()).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// The text that follows a prefix.
pub fn text_after(key: &[u8], prefix: &Key) -> Option<String> {
    let text = key.strip_prefix(prefix.as_bytes())?.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// The number that a key ends with.
pub fn last_number(key: &[u8]) -> Option<u64> {
    let (_, number) = key.split_last_chunk::<8>()?;
    Some(u64::from_be_bytes(*number))
}

/// The first text after the family, and the number that the key ends with.
pub fn repo_and_number(key: &[u8]) -> Option<(RepoName, u64)> {
    let repo = key.split(|byte| *byte == 0).nth(1)?;
    Some((std::str::from_utf8(repo).ok()?.parse().ok()?, last_number(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_in_the_order_of_their_numbers_and_branches_do_not_mix() {
        let repo: RepoName = "acme/digits".parse().unwrap();
        let keys: Vec<_> = [1, 9, 10, 255, 256, 70_000].map(|number| run(&repo, number)).to_vec();
        assert!(keys.is_sorted());
        let main = runs_of(&repo, Some("main"), None);
        assert!(run_of(&repo, Some("main"), None, 7).as_bytes().starts_with(main.as_bytes()));
        assert!(!run_of(&repo, Some("main2"), None, 7).as_bytes().starts_with(main.as_bytes()));
        let end = main.after_prefix();
        assert!(run_of(&repo, Some("main"), None, u64::MAX).into_bytes() < end);
        let long =
            metric_point(&repo, &"é".repeat(500), &"m".repeat(999), Timestamp::MAX, 1, &"j".parse().unwrap(), "e");
        assert!(long.as_bytes().len() < 768);
        assert_eq!(repo_and_number(open_run(&repo, 258).as_bytes()), Some((repo, 258)));
    }
}
