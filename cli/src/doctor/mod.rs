//! `assay doctor`: what Assay finds on this machine, and what mends what it does not find.

mod checks;
mod mend;

use std::path::PathBuf;

use runner::onnx::library::Flavor;
use serde::Serialize;
use serde_json::json;

use crate::{
    exit::Exit,
    ui::{Style, Task, paint, say},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Install ONNX Runtime into Assay's cache where none works.
    #[arg(long)]
    fix: bool,
    /// With --fix: install the CUDA build, and NVIDIA's libraries for it (1.6 GB to download).
    #[arg(long, requires = "fix")]
    cuda: bool,
    /// The data directory that a server would use.
    #[arg(long, value_name = "DIR", default_value = "assay-data")]
    data: PathBuf,
    /// The address that a server would listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8470")]
    listen: String,
    /// Print one JSON document; everything else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// What one look at the machine came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    name: &'static str,
    status: Status,
    /// What is there, or what is wrong.
    found: String,
    /// The command that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// Assay works without it; something that it could do, it cannot.
    Limited,
    /// Assay cannot work here.
    Missing,
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, found: found.into(), mend: None }
    }

    fn limited(name: &'static str, found: impl Into<String>, mend: Option<String>) -> Self {
        Self { name, status: Status::Limited, found: found.into(), mend }
    }

    fn missing(name: &'static str, found: impl Into<String>, mend: Option<String>) -> Self {
        Self { name, status: Status::Missing, found: found.into(), mend }
    }
}

pub async fn run(args: Args) -> anyhow::Result<Exit> {
    let fix = args.fix.then_some(if args.cuda { Flavor::Cuda } else { Flavor::Cpu });
    let task = (!args.json).then(|| Task::start("Looking at this machine"));
    let note = |text: &str| match &task {
        Some(task) => task.note(text),
        None => eprintln!("{text}"),
    };
    let runtime = mend::onnxruntime(fix, &note);
    let findings = vec![
        checks::onnxruntime(&runtime),
        checks::git(),
        checks::python(runtime.is_ok()),
        checks::sandbox().await,
        checks::containers(),
        checks::gpus(runtime.as_ref().ok().copied()),
        checks::data(&args.data),
        checks::port(&args.listen, &args.data),
    ];
    if let Some(task) = task {
        task.vanish();
    }
    let works = findings.iter().all(|finding| finding.status != Status::Missing);
    if args.json {
        let onnxruntime = runtime.as_ref().ok().map(|runtime| {
            let library = runtime.library();
            json!({
                "version": runtime.version(),
                "path": library.path,
                "source": library.source.to_string(),
                "providers": runtime.providers(),
            })
        });
        say(json!({ "ok": works, "onnxruntime": onnxruntime, "checks": findings }).to_string());
    } else {
        print(&findings, works);
    }
    Ok(if works { Exit::Yes } else { Exit::No })
}

fn print(findings: &[Finding], works: bool) {
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    for Finding { name, status, found, mend } in findings {
        let (style, mark) = match status {
            Status::Ok => (Style::Good, "✓"),
            Status::Limited => (Style::Dim, "○"),
            Status::Missing => (Style::Bad, "✗"),
        };
        say(format!("{} {name:width$}  {found}", paint(style, mark)));
        if let Some(mend) = mend {
            say(format!("  {:width$}  mend: {}", "", paint(Style::Bold, mend)));
        }
    }
    say("");
    say(match works {
        true => paint(Style::Good, "Assay can work here."),
        false => paint(Style::Bad, "Assay cannot work here yet: mend what is marked ✗."),
    });
}
