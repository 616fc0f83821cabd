//! What holds for every page, checked on the gallery's.

use crate::sample;

const VOID: [&str; 5] = ["meta", "link", "input", "br", "img"];

/// The tags of a page in order, `/name` for a closing one; `<path …/>` is left out.
fn tags(html: &str) -> Vec<(String, String)> {
    let parts = html.split('<').skip(1).filter(|part| !part.starts_with('!'));
    let tag = |part: &str| {
        let inner = part.split('>').next().expect("split gives one part");
        let (name, attributes) = inner.split_once([' ', '\n']).unwrap_or((inner, ""));
        (name.trim_end_matches('/').to_owned(), attributes.to_owned())
    };
    parts.map(tag).filter(|(_, attributes)| !attributes.ends_with('/')).collect()
}

#[test]
fn every_element_is_closed_where_it_was_opened() {
    for (name, html) in sample::pages() {
        let mut open: Vec<String> = Vec::new();
        for (tag, _) in tags(&html) {
            match tag.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "{name}: inside {open:?}"),
                None if VOID.contains(&tag.as_str()) => {}
                None => open.push(tag),
            }
        }
        assert!(open.is_empty(), "{name}: never closed: {open:?}");
    }
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, html) in sample::pages() {
        for (tag, attributes) in tags(&html) {
            assert!(!attributes.contains(" style=") && !attributes.starts_with("style="), "{name}: {tag} {attributes}");
            let handlers = [" onclick=", " onload=", " onerror=", " onchange=", " onsubmit="];
            assert!(!handlers.iter().any(|handler| attributes.contains(handler)), "{name}: {tag} {attributes}");
            assert!(tag != "style", "{name} has an inline style sheet");
            assert!(tag != "script" || attributes.contains("src=\"/assets/app."), "{name}: {attributes}");
        }
        assert!(!html.contains("http://") && !html.contains("https://"), "{name} names another host");
    }
}

#[test]
fn every_page_has_its_landmarks_one_heading_and_unique_ids() {
    for (name, html) in sample::pages() {
        for landmark in ["<main id=\"main\">", "<header", "<nav aria-label=", "<html lang=\"en\">", "<title>"] {
            assert!(html.contains(landmark), "{name} has no {landmark}");
        }
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        let mut ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name} has an id twice");
    }
}

#[test]
fn no_number_is_shown_that_is_none() {
    for (name, html) in sample::pages() {
        assert!(!html.contains("NaN") && !html.contains("inf\""), "{name}");
    }
    let mut page = sample::metric();
    page.points[3].value = f64::NAN;
    page.points[4].value = f64::INFINITY;
    let html = page.render();
    assert!(!html.contains("NaN") && html.contains("not a number"));
    page.points.clear();
    assert!(page.render().contains("No values yet"));
}

#[test]
fn a_page_asks_to_be_looked_at_again_only_while_something_goes_on() {
    for (name, html) in sample::pages() {
        let is_live = ["repositories", "runs", "run-running"].contains(&name);
        assert_eq!(html.contains("data-refresh="), is_live, "{name}");
        assert_eq!(html.contains("http-equiv=\"refresh\""), is_live, "{name}");
    }
}

#[test]
fn the_verdict_is_said_in_words_before_it_is_shown_in_numbers() {
    let html = sample::failed_run().render();
    let said = html.find("The gate blocks this change").expect("the answer");
    let why = html.find("Accuracy fell from 0.9655 to 0.9344").expect("the reason");
    let table = html.find("class=\"rules\"").expect("the table");
    assert!(said < why && why < table);
    for number in
        ["−3.11 pp", "n = 899", "34 newly wrong, 6 newly right", "Tango’s score, exact interval", "max-drop: 1pp"]
    {
        assert!(html.contains(number), "{number}");
    }
    assert!(sample::passed_run().render().contains("The gate passes"));
    assert!(sample::inconclusive_run().render().contains("The gate cannot tell"));
}

#[test]
fn a_mistake_in_a_workflow_is_shown_with_its_place_and_mend() {
    let html = sample::broken_run().render();
    assert!(html.contains(".assay/workflows/gate.yaml:14:5"));
    assert!(html.contains("    <mark>need:</mark> build"));
    assert!(html.contains("did you mean <code>needs</code>?"));
    assert!(html.contains("nothing was run"));
}

#[test]
fn an_empty_history_says_what_to_do() {
    let mut page = sample::runs();
    page.runs.clear();
    assert!(page.render().contains("Nothing has run yet"));
    page.filter.branch = Some("main".to_owned());
    assert!(page.render().contains("No run matches"));
}
