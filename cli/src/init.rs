//! `assay init`: a workflow for the models that are there.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{exit::Exit, ui};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Overwrite the workflow that is there.
    #[arg(long)]
    force: bool,
}

const WORKFLOW: &str = ".assay/workflows/evaluate.yml";
const DATA_ENDINGS: [&str; 5] = ["npz", "npy", "csv", "jsonl", "parquet"];
/// Names under which people keep the rows that a model was not trained on, the surest first.
const HELD_OUT: [&str; 7] = ["heldout", "held-out", "holdout", "test", "eval", "valid", "dev"];

pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let target = args.dir.join(WORKFLOW);
    if target.exists() && !args.force {
        bail!("{} is there already; --force overwrites it", target.display());
    }
    let mut files = Vec::new();
    collect(&args.dir, &args.dir, 0, &mut files)?;
    files.sort();
    let models: Vec<&String> = files.iter().filter(|f| f.ends_with(".onnx")).collect();
    let data: Vec<&String> = files.iter().filter(|f| is_data(f)).collect();
    let text = workflow(&models, &data);
    std::fs::create_dir_all(target.parent().expect("the path has a folder"))?;
    std::fs::write(&target, text).with_context(|| format!("cannot write {}", target.display()))?;

    ui::say(format!("wrote {}", target.display()));
    for model in &models {
        match best_data(model, &data) {
            Some(data) => ui::say(format!("  {model} is evaluated on {data}")),
            None => ui::say(format!("  {model}: no data set found; edit `dataset:` in the workflow")),
        }
    }
    if models.is_empty() {
        ui::say("  no .onnx model found: edit `model:` and `dataset:` in the workflow");
    }
    ui::say("Next: `assay run` evaluates it here; then commit and push.");
    Ok(Exit::Yes)
}

/// Files below `dir`, as paths relative to `root`; hidden and generated folders are not looked into.
fn collect(root: &Path, dir: &Path, depth: usize, into: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < 6 && !name.starts_with('.') && !matches!(name, "node_modules" | "target" | "venv") {
            collect(root, &entry.path(), depth + 1, into)?;
        } else if kind.is_file()
            && let Some(path) = entry.path().strip_prefix(root)?.to_str()
        {
            into.push(path.to_owned());
        }
    }
    Ok(())
}

fn is_data(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, ending)| DATA_ENDINGS.contains(&ending))
}

/// The data set most likely held out for this model: by name, and near it rather than far.
fn best_data<'a>(model: &str, data: &[&'a String]) -> Option<&'a str> {
    let folder = |path: &str| Path::new(path).parent().map(Path::to_owned);
    data.iter()
        .map(|file| {
            let name = file.to_lowercase();
            let rank = HELD_OUT.iter().position(|word| name.contains(word)).unwrap_or(HELD_OUT.len());
            (rank, folder(file) != folder(model), file.as_str())
        })
        .min()
        .filter(|(rank, _, _)| *rank < HELD_OUT.len() || data.len() == 1)
        .map(|(_, _, file)| file)
}

fn workflow(models: &[&String], data: &[&String]) -> String {
    let placeholder = "model.onnx".to_owned();
    let models: Vec<&String> = if models.is_empty() { vec![&placeholder] } else { models.to_vec() };
    let mut text = String::from(
        "# Evaluates the model on every push and blocks a pull request that makes it worse.\n\
         # The language is GitHub Actions'; docs/workflow-language.md tells what is added for models.\n\
         name: Evaluate\n\
         on: [push, pull_request]\n\n\
         jobs:\n",
    );
    let mut ids: Vec<String> = Vec::new();
    for model in models {
        let stem = Path::new(model).file_stem().and_then(|s| s.to_str()).unwrap_or("model");
        let mut id = job_id(stem);
        while ids.contains(&id) {
            id.push_str("-2");
        }
        let dataset = best_data(model, data).unwrap_or("heldout.npz");
        text.push_str(&format!(
            "  {id}:\n    runs-on: self-hosted\n    steps:\n      - uses: assay/checkout@v1\n      - uses: assay/eval@v1\n        \
             id: {id}\n        with:\n          model: {}\n          dataset: {}\n          task: classification\n",
            quoted(model),
            quoted(dataset),
        ));
        ids.push(id);
    }
    text.push_str(
        "\n# Compared with the model on the base branch, example by example.\ngate:\n  accuracy: { max-drop: 0.5pp }\n",
    );
    text
}

fn job_id(stem: &str) -> String {
    let id: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    match id.chars().next() {
        Some(first) if first.is_ascii_alphabetic() || first == '_' => id,
        _ => format!("model-{id}"),
    }
}

/// A YAML string: JSON's form is one, and needs no thought about special characters.
fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/_.-".contains(c)) && !text.starts_with(['-', '.']);
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_meets_the_data_that_was_held_out_for_it() {
        let files: Vec<String> =
            ["train.csv", "a/test.csv", "b/test.csv", "b/notes.csv"].iter().map(|s| (*s).to_owned()).collect();
        let data: Vec<&String> = files.iter().collect();
        assert_eq!(best_data("b/model.onnx", &data), Some("b/test.csv"));
        assert_eq!(best_data("model.onnx", &data[..1]), Some("train.csv"), "the only one there is");
        let two = [&files[0], &files[3]];
        assert_eq!(best_data("model.onnx", &two), None, "a guess among strangers would be worse than asking");
    }

    #[test]
    fn the_workflow_has_one_job_for_each_model_under_a_valid_id() {
        let models = ["v1/9 lives.onnx".to_owned(), "v2/9 lives.onnx".to_owned()];
        let (workflow, diagnostics) =
            workflows::syntax::parse("evaluate.yml", &workflow(&models.iter().collect::<Vec<_>>(), &[]));
        assert_eq!(diagnostics, []);
        let ids: Vec<String> = workflow.unwrap().jobs.keys().map(ToString::to_string).collect();
        assert_eq!(ids, ["model-9-lives", "model-9-lives-2"]);
    }
}
