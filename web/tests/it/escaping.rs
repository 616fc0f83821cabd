//! Nothing that people or their programs wrote becomes markup, however long or odd.

use web::LogView;

use crate::sample;

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{202e}\u{0}";

fn check(html: &str) {
    assert!(!html.contains("<script>alert"), "a script came through");
    assert!(!html.contains("<img"), "an element came through");
    assert!(!html.contains('\u{202e}') && !html.contains('\u{0}'), "a control character came through");
    // Askama writes the number of `<`, our own parts its name.
    assert!(html.contains("&lt;script&gt;alert(1)") || html.contains("&#60;script&#62;alert(1)"), "the text is gone");
}

#[test]
fn names_and_texts_are_text() {
    let hostile = || HOSTILE.to_owned();

    let mut page = sample::repositories();
    let run = page.repositories[0].last_run.as_mut().expect("a run");
    (run.title, run.branch) = (hostile(), hostile());
    page.repositories[0].trend.as_mut().expect("a trend").metric = hostile();
    check(&page.render());

    let mut page = sample::runs();
    let row = &mut page.runs[3];
    (row.title, row.branch, row.actor, row.event, row.workflow) =
        (hostile(), hostile(), hostile(), hostile(), hostile());
    row.headline.as_mut().expect("a headline").metric = hostile();
    page.branches.push(hostile());
    page.metrics.push(hostile());
    check(&page.render());

    let mut page = sample::broken_run();
    let view = &mut page.diagnostics[0];
    (view.source_line, view.diagnostic.help) = (Some(hostile()), Some(hostile()));
    (view.diagnostic.message, view.diagnostic.column) = (hostile(), 3);
    check(&page.render());

    let mut page = sample::failed_run();
    (page.run.title, page.run.branch, page.run.actor) = (hostile(), hostile(), hostile());
    page.run.base_branch = Some(hostile());
    page.jobs[1].name = hostile();
    page.jobs[1].summary = Some(hostile());
    page.jobs[1].steps[0].name = hostile();
    page.annotations[0].message = hostile();
    page.evaluations[0].head.name = hostile();
    page.evaluations[0].head.metrics.insert(hostile(), 0.5);
    page.actions.form_token = Some(hostile());
    let web::GateView::Judged { verdict, .. } = &mut page.gate else { panic!("it is judged") };
    (verdict.rules[0].metric, verdict.rules[0].allowed, verdict.rules[0].reason) = (hostile(), hostile(), hostile());
    let flip = &mut verdict.flips[0];
    (flip.id, flip.target, flip.base, flip.head) = (hostile(), hostile(), hostile(), hostile());
    check(&page.render());

    let mut page = sample::metric();
    (page.metric, page.branch, page.points[0].title) = (hostile(), hostile(), hostile());
    check(&page.render());

    let mut page = sample::not_found();
    (page.title, page.message) = (hostile(), hostile());
    check(&page.render());

    let mut page = sample::job_page();
    page.log = Some(LogView { start: 0, bytes: format!("\u{1b}[31m{HOSTILE}\n").into_bytes(), complete: true });
    page.job.name = hostile();
    check(&page.render());
}

#[test]
fn the_longest_names_and_logs_still_make_a_page() {
    let long = "ü🙂".repeat(5_000);
    let mut page = sample::failed_run();
    (page.run.title, page.run.branch) = (long.clone(), long.clone());
    assert!(page.render().contains(&long));

    let mut page = sample::job_page();
    let text: String = (0..10_000).map(|i| format!("line {i}\n")).collect();
    page.log = Some(LogView { start: 123_456_789, bytes: text.into_bytes(), complete: true });
    let html = page.render();
    assert_eq!(html.matches("class=\"ln\"").count(), 10_000);
    assert!(html.contains("The first 123 MB are left out here"));
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
}
