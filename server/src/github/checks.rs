//! Check runs: created once, found again after a crash, updated to what we hold.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::protocol::{Annotation, AnnotationLevel};

use super::{
    GithubError, GithubForge,
    client::{Installation, Request},
    limits,
};
use crate::forge::{CheckRun, CheckState};

/// What GitHub says of a check run, as far as we ask.
#[derive(Debug, Deserialize)]
struct Known {
    id: u64,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    output: KnownOutput,
}

#[derive(Debug, Default, Deserialize)]
struct KnownOutput {
    #[serde(default)]
    annotations_count: usize,
}

#[derive(Debug, Deserialize)]
struct KnownPage {
    check_runs: Vec<Known>,
}

/// The body of a create or an update.
#[derive(Debug, Serialize)]
struct Body<'a> {
    name: &'a str,
    /// Of a create alone: a check run never moves to another commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_sha: Option<&'a str>,
    external_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    details_url: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    output: Output,
    /// Sent also where there are none: buttons of before go away.
    actions: &'a [crate::forge::CheckAction],
}

#[derive(Debug, Serialize)]
struct Output {
    title: String,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<BodyAnnotation>,
}

#[derive(Debug, Serialize)]
struct BodyAnnotation {
    path: String,
    start_line: u32,
    end_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
    annotation_level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    message: String,
}

impl GithubForge {
    /// Brings the check run on GitHub to what `check` says; returns GitHub's id for it.
    ///
    /// Without a `known_id` it first looks for a run with our external id on the commit: if we crashed
    /// between GitHub's creating it and our writing its id down, it is there. Annotations append on
    /// every update, so those that GitHub has (their number, in order) are not sent again. Repeating a
    /// call, from the start or after an error in the middle, therefore changes nothing.
    pub async fn put_check_run(
        &self,
        installation: u64,
        check: &CheckRun,
        known_id: Option<u64>,
    ) -> Result<u64, GithubError> {
        let client = self.installation(installation).await?;
        let _one_writer = client.writes.lock().await;

        let known = match known_id {
            // Nothing in the answer would change what we send.
            Some(id) if check.annotations.is_empty() => {
                Some(Known { id, external_id: None, output: KnownOutput::default() })
            }
            Some(id) => Some(by_id(&client, check, id).await?),
            None => self.by_external_id(&client, check).await?,
        };

        let annotations = &check.annotations[..check.annotations.len().min(limits::ANNOTATIONS)];
        let sent = known.as_ref().map_or(0, |known| known.output.annotations_count).min(annotations.len());
        let mut batches = annotations[sent..].chunks(limits::ANNOTATIONS_PER_REQUEST);

        let first = batches.next().unwrap_or_default();
        let id = match known {
            Some(known) => update(&client, check, known.id, first).await?,
            None => create(&client, check, first).await?,
        };
        for batch in batches {
            update(&client, check, id, batch).await?;
        }
        Ok(id)
    }

    async fn by_external_id(&self, client: &Installation, check: &CheckRun) -> Result<Option<Known>, GithubError> {
        let doing = format!("look for check run `{}` of {}", check.name, check.repo);
        // A name has at most 1,000 runs in a suite: GitHub deletes older ones.
        for page in 1..=10 {
            let query = [
                ("check_name", check.name.as_str()),
                ("app_id", &self.app_id().to_string()),
                // Without it, only the newest of each name.
                ("filter", "all"),
                ("per_page", "100"),
                ("page", &page.to_string()),
            ]
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .join("&");
            let route = format!("/repos/{}/commits/{}/check-runs?{query}", check.repo, check.head);
            let found: KnownPage = client.send(&doing, Request::get(route)).await?;
            let full = found.check_runs.len() == 100;
            let ours =
                found.check_runs.into_iter().find(|run| run.external_id.as_deref() == Some(check.external_id.as_str()));
            if ours.is_some() || !full {
                return Ok(ours);
            }
        }
        Ok(None)
    }
}

async fn by_id(client: &Installation, check: &CheckRun, id: u64) -> Result<Known, GithubError> {
    let doing = format!("read check run `{}` of {}", check.name, check.repo);
    client.send(&doing, Request::get(format!("/repos/{}/check-runs/{id}", check.repo))).await
}

async fn create(client: &Installation, check: &CheckRun, annotations: &[Annotation]) -> Result<u64, GithubError> {
    let doing = format!("create check run `{}` of {}", check.name, check.repo);
    let request = Request::Post {
        route: format!("/repos/{}/check-runs", check.repo),
        body: &Body { head_sha: Some(check.head.as_str()), ..body(check, annotations) },
    };
    let known: Known = client.send(&doing, request).await?;
    Ok(known.id)
}

async fn update(
    client: &Installation,
    check: &CheckRun,
    id: u64,
    annotations: &[Annotation],
) -> Result<u64, GithubError> {
    let doing = format!("update check run `{}` of {}", check.name, check.repo);
    let request =
        Request::Patch { route: format!("/repos/{}/check-runs/{id}", check.repo), body: &body(check, annotations) };
    let known: Known = client.send(&doing, request).await?;
    Ok(known.id)
}

fn body<'a>(check: &'a CheckRun, annotations: &[Annotation]) -> Body<'a> {
    let (status, started_at, completed_at, conclusion) = match &check.state {
        CheckState::Queued => ("queued", None, None, None),
        CheckState::InProgress { started_at } => ("in_progress", Some(*started_at), None, None),
        CheckState::Completed { started_at, completed_at, conclusion } => {
            ("completed", Some(*started_at), Some(*completed_at), Some(conclusion.as_str()))
        }
    };
    let title = limits::chars(&check.title, limits::TITLE_CHARS);
    // GitHub wants both; a summary that says nothing new is better than a refusal.
    let summary =
        if check.summary.is_empty() { title.clone() } else { limits::bytes(&check.summary, limits::TEXT_BYTES) };
    Body {
        name: &check.name,
        head_sha: None,
        external_id: &check.external_id,
        details_url: &check.details_url,
        status,
        conclusion,
        started_at: started_at.map(to_seconds),
        completed_at: completed_at.map(to_seconds),
        output: Output {
            title,
            summary,
            text: check.text.as_ref().map(|text| limits::bytes(text, limits::TEXT_BYTES)),
            annotations: annotations.iter().map(annotation).collect(),
        },
        actions: &check.actions,
    }
}

fn annotation(annotation: &Annotation) -> BodyAnnotation {
    BodyAnnotation {
        path: annotation.path.clone(),
        start_line: annotation.line,
        end_line: annotation.line,
        start_column: annotation.column,
        end_column: annotation.column,
        annotation_level: match annotation.level {
            AnnotationLevel::Notice => "notice",
            AnnotationLevel::Warning => "warning",
            AnnotationLevel::Failure => "failure",
        },
        title: annotation.title.as_ref().map(|title| limits::chars(title, limits::TITLE_CHARS)),
        message: limits::bytes(&annotation.message, limits::MESSAGE_BYTES),
    }
}

/// GitHub's form of a time: whole seconds, `Z`.
fn to_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `text` as one component of a path or of a query string: everything but RFC 3986's unreserved characters is escaped.
pub(super) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use workflows::run::Conclusion;

    use super::*;

    fn check(state: CheckState) -> CheckRun {
        CheckRun {
            repo: "acme/digits".parse().unwrap(),
            head: "6dcb09b5b57875f334f61aebed695e2e4193db5e".parse().unwrap(),
            name: "assay/gate".to_owned(),
            external_id: "gate-7-1".to_owned(),
            details_url: "https://assay.example/acme/digits/runs/7".to_owned(),
            state,
            title: "accuracy fell".to_owned(),
            summary: String::new(),
            text: None,
            annotations: Vec::new(),
            actions: Vec::new(),
        }
    }

    #[test]
    fn each_state_is_said_in_githubs_words() {
        let started_at: Timestamp = "2026-11-24T16:00:00.123456789Z".parse().unwrap();
        let completed_at: Timestamp = "2026-11-24T16:00:05Z".parse().unwrap();
        let json = |state| serde_json::to_value(body(&check(state), &[])).unwrap();

        let queued = json(CheckState::Queued);
        assert_eq!(
            (&queued["status"], queued.get("started_at"), queued.get("conclusion")),
            (&"queued".into(), None, None)
        );
        let running = json(CheckState::InProgress { started_at });
        assert_eq!(
            (&running["status"], &running["started_at"]),
            (&"in_progress".into(), &"2026-11-24T16:00:00Z".into())
        );
        let done = json(CheckState::Completed { started_at, completed_at, conclusion: Conclusion::TimedOut });
        assert_eq!((&done["status"], &done["conclusion"]), (&"completed".into(), &"timed_out".into()));
        assert_eq!(done["completed_at"], "2026-11-24T16:00:05Z");
        assert_eq!(done["output"]["summary"], "accuracy fell");
    }

    #[test]
    fn a_component_of_a_url_cannot_leave_its_place() {
        assert_eq!(encode("eval (cpu, 3.11)&x=/../é"), "eval%20%28cpu%2C%203.11%29%26x%3D%2F..%2F%C3%A9");
    }
}
