use serde_json::{Value, json};

use super::*;

const HEAD: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
const BASE: &str = "380387fbc80638b734a49e1be1c4dfec1c01b33c";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn check(event: &str, mut payload: Value) -> Fact {
    payload["repository"] = json!({ "id": 1, "full_name": "acme/digits", "default_branch": "main", "clone_url": "https://git.example/acme/digits.git" });
    parse_webhook(event, &serde_json::to_vec(&payload).unwrap()).unwrap()
}

#[track_caller]
fn kind(fact: &Fact) -> &EventKind {
    match fact {
        Fact::Event { event, .. } => &event.kind,
        other => panic!("no event: {other:?}"),
    }
}

#[track_caller]
fn reason(fact: &Fact) -> &str {
    match fact {
        Fact::Ignored { reason } => reason,
        other => panic!("not ignored: {other:?}"),
    }
}

fn pull(head_repo: Value) -> Value {
    json!({
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "title": "Retrain",
            "head": { "ref": "retrain", "sha": HEAD, "repo": head_repo },
            "base": { "ref": "main", "sha": BASE, "repo": { "id": 1 } },
        },
        "sender": { "login": "mona" },
        "installation": { "id": 42 },
    })
}

#[test]
fn a_push_says_what_moved_where_and_by_whom() {
    let fact = check(
        "push",
        json!({
            "ref": "refs/heads/main", "before": BASE, "after": HEAD, "deleted": false,
            "head_commit": { "id": HEAD, "message": "Retrain\n\nwith more rows" },
            "sender": { "login": "mona" }, "installation": { "id": 42 },
        }),
    );
    let Fact::Event { event, clone, installation } = &fact else { panic!("{fact:?}") };
    assert_eq!((clone.as_str(), *installation), ("https://git.example/acme/digits.git", Some(42)));
    assert_eq!(
        (event.repo.as_str(), event.default_branch.as_str(), event.actor.as_str()),
        ("acme/digits", "main", "mona")
    );
    assert_eq!(event.payload["ref"], "refs/heads/main");
    let push = EventKind::Push {
        git_ref: "refs/heads/main".to_owned(),
        before: Some(BASE.parse().unwrap()),
        head: HEAD.parse().unwrap(),
        title: "Retrain".to_owned(),
    };
    assert_eq!(event.kind, push);
}

#[test]
fn a_new_annotated_tag_means_its_commit() {
    let tag = json!({
        "ref": "refs/tags/v1", "before": ZERO, "after": BASE,
        "head_commit": { "id": HEAD, "message": "" }, "pusher": { "name": "mona" },
    });
    let fact = check("push", tag);
    let EventKind::Push { before, head, .. } = kind(&fact) else { panic!("{fact:?}") };
    assert_eq!((before, head.as_str()), (&None, HEAD));
}

#[test]
fn pushes_that_need_no_run_say_why() {
    let gone = json!({ "ref": "refs/heads/old", "before": BASE, "after": ZERO, "deleted": true, "head_commit": null });
    assert_eq!(reason(&check("push", gone)), "refs/heads/old was deleted");
    let queue = json!({ "ref": "refs/heads/gh-readonly-queue/main/pr-1-abc", "before": ZERO, "after": HEAD });
    assert!(reason(&check("push", queue)).contains("merge_group"));
}

#[test]
fn a_pull_request_from_another_repository_is_from_a_fork() {
    for (head_repo, expected) in [(json!({ "id": 1 }), false), (json!({ "id": 2 }), true), (Value::Null, true)] {
        let fact = check("pull_request", pull(head_repo.clone()));
        let EventKind::PullRequest { from_fork, number, action, base_ref, .. } = kind(&fact) else {
            panic!("{fact:?}")
        };
        assert_eq!(*from_fork, expected, "{head_repo}");
        assert_eq!((*number, action.as_str(), base_ref.as_str()), (Some(7), "synchronize", "main"));
    }
}

#[test]
fn a_merge_group_runs_when_asked_and_ends_quietly() {
    let group = json!({ "head_sha": HEAD, "head_ref": "refs/heads/gh-readonly-queue/main/pr-7", "base_sha": BASE, "base_ref": "refs/heads/main" });
    let fact = check("merge_group", json!({ "action": "checks_requested", "merge_group": group }));
    assert_eq!(kind(&fact).head().as_str(), HEAD);
    let destroyed = json!({ "action": "destroyed", "reason": "dequeued", "merge_group": group });
    let gone = check("merge_group", destroyed);
    assert!(matches!(gone, Fact::MergeGroupGone { reason, .. } if reason.ends_with("was dequeued")));
    let merged = json!({ "action": "destroyed", "reason": "merged", "merge_group": group });
    assert!(reason(&check("merge_group", merged)).ends_with("was merged"));
}

#[test]
fn check_runs_and_suites_ask_for_what_a_person_clicked() {
    let run = json!({ "id": 1, "head_sha": HEAD, "external_id": "gate-7-1" });
    let again = json!({ "action": "rerequested", "check_run": run, "installation": { "id": 42 } });
    let expected = Fact::Rerequested {
        repo: "acme/digits".parse().unwrap(),
        head: HEAD.parse().unwrap(),
        external_id: "gate-7-1".to_owned(),
        installation: Some(42),
    };
    assert_eq!(check("check_run", again), expected);

    let accept = json!({
        "action": "requested_action", "check_run": run, "requested_action": { "identifier": "accept" }, "sender": { "login": "mona" },
    });
    match check("check_run", accept) {
        Fact::RequestedAction { identifier, actor, .. } => {
            assert_eq!((identifier.as_str(), actor.as_str()), ("accept", "mona"))
        }
        other => panic!("{other:?}"),
    }

    let all = json!({ "action": "rerequested", "check_suite": { "head_sha": HEAD } });
    assert!(matches!(check("check_suite", all), Fact::RerequestedAll { installation: None, .. }));

    assert_eq!(reason(&check("check_run", json!({ "action": "completed", "check_run": run }))), "check_run: completed");
    let other = json!({ "action": "rerequested", "check_run": { "head_sha": HEAD, "external_id": "" } });
    assert!(reason(&check("check_run", other)).contains("another App"));
}

#[test]
fn what_is_not_understood_is_told_apart() {
    assert!(matches!(parse_webhook("push", b"payload=%7B%7D"), Err(ParseError::NotJson(_))));
    let error = parse_webhook("push", b"{}").unwrap_err();
    assert_eq!(error.to_string(), "the body is no `push` event: missing field `ref`");
    assert!(reason(&parse_webhook("star", b"{}").unwrap()).contains("`star`"));
    assert!(reason(&parse_webhook("ping", b"{\"zen\":\"\"}").unwrap()).contains("ping"));
}

#[test]
fn githubs_documented_signature_is_accepted_and_no_other() {
    // The example of GitHub's page "Validating webhook deliveries".
    let (secret, body) = (b"It's a Secret to Everybody", b"Hello, World!");
    let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert!(verify_signature(secret, body, header));
    assert!(!verify_signature(secret, b"Hello, World?", header));
    assert!(!verify_signature(b"another", body, header));
    for wrong in
        ["", "sha256=", "sha256=7571", "sha1=757107ea0eb2509fc211221cce984b8a37570b6d", &header[7..], "sha256=zz"]
    {
        assert!(!verify_signature(secret, body, wrong), "{wrong}");
    }
}
