//! Journey 1: from a push to a blocked merge, with every real part in it.

mod git;
mod project;

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use runner::agent::IsolationChoice;
use server::ServerConfig;
use workflows::{
    ids::{RepoName, Sha},
    report,
    run::Conclusion,
};

use self::{git::Git, project::Change};
use crate::{
    api::{Api, GateAnswer, GateState},
    embedded::{self, Embedded, RunnerChoice},
    exit::Exit,
    hook,
    ui::{self, Style, Task, paint, say},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port of the server; a free one by default.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Stop after the last answer instead of serving until Ctrl-C.
    #[arg(long)]
    once: bool,
}

/// Longest wait for one push to be judged. A minute is a hundred times what it takes on two cores.
const PATIENCE: Duration = Duration::from_secs(120);

pub async fn run(args: Args) -> anyhow::Result<Exit> {
    say(paint(Style::Bold, "Assay demo: from a push to a blocked merge"));
    say("");
    find_onnxruntime()?;

    let listener = embedded::bind(&format!("127.0.0.1:{}", args.port))?;
    let home = home_directory()?;
    let data = home.path().join("data");
    std::fs::create_dir_all(&data)?;
    let mut config = ServerConfig::for_data_dir(&data);
    config.public_url = embedded::url_of(listener.local_addr()?);
    let task = Task::start("Server and runner started");
    let runner = RunnerChoice { slots: 2, isolation: IsolationChoice::Auto };
    let embedded = Embedded::start(config, listener, Some(runner))?;
    task.done(format!("{}  data in {}", embedded.url, data.display()));

    let url = embedded.url.clone();
    embedded
        .run_until(async move {
            let exit = story(&url, home.path(), &data).await?;
            if !args.once {
                say("");
                say(format!("Serving {} until Ctrl-C.", paint(Style::Link, &url)));
                let token = format!("assay token api --data {}", data.display());
                say(paint(Style::Dim, &format!("To cancel runs and to run them again, sign in there with: {token}")));
                embedded::interrupted().await;
            }
            drop(home);
            anyhow::Ok(exit)
        })
        .await?
}

/// Finds ONNX Runtime or installs it, and says which one it got.
fn find_onnxruntime() -> anyhow::Result<()> {
    let task = Task::start("ONNX Runtime");
    match runner::onnx::runtime::runtime(&|note| task.note(note)) {
        Ok(runtime) => {
            task.done(runtime.to_string());
            Ok(())
        }
        Err(error) => {
            task.failed("");
            Err(error.into())
        }
    }
}

/// Steps may run under another user, who must be able to walk to their workspace.
fn home_directory() -> anyhow::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::Builder::new().prefix("assay-demo-").tempdir().context("cannot make a temporary directory")?;
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o711))?;
    Ok(home)
}

async fn story(url: &str, home: &Path, data: &Path) -> anyhow::Result<Exit> {
    let repo: RepoName = "demo/digits".parse()?;
    let api = Api::new(url);

    let origin = Git::init(&home.join("digits.git"), true)?;
    hook::install_hooks(&hook::Install {
        repo: origin.dir().to_owned(),
        server: url.to_owned(),
        repository: Some(repo.clone()),
        secret_file: data.join("secrets/local-webhook"),
    })?;
    let work = Git::init(&home.join("digits"), false)?;
    work.run(&["remote", "add", "origin", &origin.dir().to_string_lossy()])?;

    let main = project::first_commit(&work)?;
    let baseline =
        judged(&api, &repo, &work, "main", &main, "Push main with the good model, to compare with from now on").await?;
    let mut ok = expect(&[Conclusion::Success, Conclusion::Neutral], &baseline, "the first evaluation is the baseline");

    say("");
    say(paint(Style::Bold, "Three branches, each a pull request into main"));
    let mut answers = Vec::new();
    for (change, expected) in [
        (Change::Regressed, Conclusion::Failure),
        (Change::Smaller, Conclusion::Success),
        (Change::BrokenWorkflow, Conclusion::Failure),
    ] {
        let sha = change.commit(&work)?;
        let what = format!("{} ({})", change.title(), change.branch());
        let answer = judged(&api, &repo, &work, change.branch(), &sha, &what).await?;
        ok &= expect(&[expected], &answer, change.title());
        answers.push((change, sha, answer));
    }

    for (change, sha, answer) in &answers {
        show(*change, sha, answer);
    }
    ok &= merge(&work, &origin, Change::Regressed, &answers, &main)?;
    ok &= merge(&work, &origin, Change::Smaller, &answers, &main)?;

    say("");
    say(format!("History: {}", paint(Style::Link, &api.page(&repo))));
    Ok(if ok { Exit::Yes } else { Exit::No })
}

/// Pushes a branch and waits for `assay/gate` of its commit.
async fn judged(
    api: &Api,
    repo: &RepoName,
    work: &Git,
    branch: &str,
    sha: &Sha,
    what: &str,
) -> anyhow::Result<GateAnswer> {
    let task = Task::start(what);
    task.note("pushing");
    let push = work.push(branch)?;
    ensure!(push.accepted, "pushing {branch} failed:\n{}", push.output);
    task.note("evaluating");
    let answer = tokio::time::timeout(PATIENCE, concluded(api, repo, sha)).await;
    match answer {
        Ok(answer) => {
            let answer = answer?;
            match answer.conclusion.is_some_and(Conclusion::passes) {
                true => task.done(&answer.title),
                false => task.failed(&answer.title),
            }
            Ok(answer)
        }
        Err(_) => {
            task.failed("no answer");
            anyhow::bail!("assay/gate of {} was not concluded within {} s", sha.short(), PATIENCE.as_secs())
        }
    }
}

async fn concluded(api: &Api, repo: &RepoName, sha: &Sha) -> anyhow::Result<GateAnswer> {
    loop {
        let answer = api.gate(repo, sha).await?;
        if answer.state == GateState::Concluded {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn expect(expected: &[Conclusion], answer: &GateAnswer, what: &str) -> bool {
    let as_expected = answer.conclusion.is_some_and(|conclusion| expected.contains(&conclusion));
    if !as_expected {
        let expected: Vec<&str> = expected.iter().map(|c| c.as_str()).collect();
        say(paint(Style::Bad, &format!("  unexpected: {what}: expected {}", expected.join(" or "))));
        if let Some(summary) = &answer.summary {
            say(indent(summary));
        }
    }
    as_expected
}

/// The check run as a reviewer reads it in the pull request.
fn show(change: Change, sha: &Sha, answer: &GateAnswer) {
    say("");
    let passes = answer.conclusion.is_some_and(Conclusion::passes);
    let (style, mark) = if passes { (Style::Good, "✓") } else { (Style::Bad, "✗") };
    let head = format!("assay/gate on “{}” ({}, {})", change.title(), change.branch(), sha.short());
    say(format!("{} {}", paint(style, mark), paint(Style::Bold, &head)));
    match (&answer.verdict, &answer.summary) {
        (Some(verdict), _) => {
            let commit = |sha: &Sha| report::CommitRef { name: sha.short().to_owned(), url: None };
            let base = answer.base.as_ref().map(commit);
            let context = report::Context { head: commit(sha), base, ..report::Context::default() };
            say(indent(&report::terminal(verdict, &context, ui::colour(), ui::width().saturating_sub(2))));
        }
        (None, Some(summary)) => say(indent(&plain(summary))),
        (None, None) => say(format!("  {}", answer.title)),
    }
    if let Some(url) = &answer.url {
        say("");
        say(format!("  {}", paint(Style::Link, url)));
    }
}

/// A summary without what Markdown adds for a page; its last line links to the run, as the line below does.
fn plain(summary: &str) -> String {
    let lines = summary.lines().filter(|line| !line.starts_with("[The run's page]"));
    lines.collect::<Vec<_>>().join("\n").replace('`', "").trim_end().to_owned()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Pushes the branch's commit to main, as a merge would, and says what git answered.
fn merge(
    work: &Git,
    origin: &Git,
    change: Change,
    answers: &[(Change, Sha, GateAnswer)],
    before: &Sha,
) -> anyhow::Result<bool> {
    let (_, sha, _) = answers.iter().find(|(c, ..)| *c == change).expect("every change was judged");
    let push = work.push(&format!("{sha}:main"))?;
    let main: Sha = origin.run(&["rev-parse", "main"])?.parse()?;
    say("");
    say(paint(Style::Dim, &format!("$ git push origin {}:main", change.branch())));
    for line in push.output.lines().filter(|line| line.starts_with("remote:") || line.contains("main")) {
        say(format!("  {}", line.trim_end()));
    }
    let merged = main == *sha;
    let right = match change {
        Change::Smaller => push.accepted && merged,
        Change::Regressed | Change::BrokenWorkflow => !push.accepted && main == *before,
    };
    let result = if merged { "main moved to it" } else { "main stays where it was" };
    say(format!("  {} {result}", paint(if right { Style::Good } else { Style::Bad }, if right { "✓" } else { "✗" })));
    Ok(right)
}
