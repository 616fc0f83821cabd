//! GitHub's own recorded deliveries: every one is understood, or ignored with a reason.

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use server::{forge::Fact, github::parse_webhook};
use tests::npm::file_of_package;

/// Name and body of each of the recorded deliveries.
pub(crate) fn recorded() -> Vec<(String, Vec<u8>)> {
    let path = file_of_package("@octokit/webhooks-examples", "7.6.1", "api.github.com/index.json");
    let events: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let events = events.as_array().expect("a list of events");
    let examples = events.iter().flat_map(|event| {
        let name = event["name"].as_str().expect("an event has a name").to_owned();
        let examples = event["examples"].as_array().expect("an event has examples");
        examples.iter().map(move |example| (name.clone(), example.to_string().into_bytes()))
    });
    examples.collect()
}

#[test]
fn every_recorded_delivery_is_understood() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 329);
    let mut meanings: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for (name, body) in recorded {
        let fact = parse_webhook(&name, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let meaning = match fact {
            Fact::Event { .. } => "event",
            Fact::Rerequested { .. } => "rerequested",
            Fact::RerequestedAll { .. } => "rerequested all",
            Fact::MergeGroupGone { .. } => "merge group gone",
            Fact::RequestedAction { .. } => "requested action",
            Fact::Unpinned(_) => "unpinned",
            Fact::Ignored { reason } => {
                assert!(!reason.is_empty());
                "ignored"
            }
        };
        *meanings.entry((name, meaning)).or_default() += 1;
    }
    let count = |name: &str, meaning| meanings.get(&(name.to_owned(), meaning)).copied().unwrap_or(0);
    assert_eq!((count("push", "event"), count("push", "ignored")), (3, 4), "four of the pushes delete a tag");
    assert_eq!(count("pull_request", "event"), 29);
    assert_eq!(count("merge_group", "event"), 2);
    assert_eq!(count("check_suite", "rerequested all"), 2);
    assert_eq!((count("repository_dispatch", "unpinned"), count("workflow_dispatch", "ignored")), (2, 2));
    // The recorded check runs have no external id: none is ours.
    assert_eq!(count("check_run", "ignored"), 9);
    assert_eq!(meanings.values().sum::<usize>(), 329);
}
