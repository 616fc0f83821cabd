//! What expressions see while a job runs.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use workflows::{
    expr::{self, Environment, Status},
    syntax::is_insert,
};

use super::{Job, stop::Limits};
use crate::actions::globs;

/// The contexts of a job, or of a composite action within it (whose `inputs` and `steps` are its own).
pub(crate) struct Scope {
    contexts: IndexMap<String, Value>,
    /// `env:` of the workflow and the job.
    env: IndexMap<String, String>,
    /// Those of the steps that use the composite actions around this: stronger than what steps add.
    pub outer_env: IndexMap<String, String>,
    pub status: Status,
    /// The first failure's sentence, for the job's summary.
    pub first_failure: Option<String>,
    /// A composite action's that began after its job was stopped: to clean up is what it is for, and its steps need not
    /// each say `always()`.
    pub cleans_up: bool,
    /// Composite actions around this.
    pub depth: usize,
    /// Of the step that uses the composite action.
    pub limits: Option<Limits>,
}

impl Scope {
    /// That of the job itself, with its `env:` evaluated.
    pub(crate) async fn of_job(job: &mut Job<'_>) -> Self {
        let mut contexts = job.spec.contexts.clone();
        for name in ["github", "env", "job", "needs", "matrix", "strategy", "vars", "inputs", "assay"] {
            contexts.entry(name.to_owned()).or_insert_with(|| json!({}));
        }
        contexts.insert("secrets".to_owned(), json!(job.spec.secrets));
        contexts.insert("runner".to_owned(), job.runner_context());
        contexts.insert("steps".to_owned(), json!({}));
        let github = contexts.entry("github".to_owned()).or_insert_with(|| json!({}));
        if let Value::Object(github) = github {
            if let Some(event) = github.get("event") {
                // A step that reads it says so itself where it is not there.
                std::fs::write(job.directories.files.join("event.json"), event.to_string()).ok();
            }
            github.insert("workspace".to_owned(), json!(job.directories.workspace));
            github.insert("event_path".to_owned(), json!(job.directories.files.join("event.json")));
            github.insert("job".to_owned(), json!(job.spec.key.id()));
        }
        let mut scope = Self {
            contexts,
            env: IndexMap::new(),
            outer_env: IndexMap::new(),
            status: Status::Success,
            first_failure: None,
            cleans_up: false,
            depth: 0,
            limits: None,
        };
        scope.set_status(Status::Success);
        let layers = job.spec.workflow_env.iter().chain(&job.spec.job.env);
        for (name, template) in layers {
            scope.show_env(&scope.env.clone());
            match scope.texts(&job.directories.workspace, "env", [(name, template)]) {
                Ok(values) => scope.env.extend(values),
                Err(e) => job.fail_job(&mut scope, &e).await,
            }
        }
        scope
    }

    /// That of a composite action.
    pub(crate) fn of_action(
        &self,
        inputs: Map<String, Value>,
        outer_env: IndexMap<String, String>,
        path: PathBuf,
        limits: Limits,
    ) -> Self {
        let mut contexts = self.contexts.clone();
        contexts.insert("inputs".to_owned(), Value::Object(inputs));
        contexts.insert("steps".to_owned(), json!({}));
        // An action is trusted with what it is given, not with everything.
        for name in ["secrets", "needs", "vars"] {
            contexts.shift_remove(name);
        }
        let mut action = Self {
            contexts,
            env: self.env.clone(),
            outer_env,
            status: Status::Success,
            first_failure: None,
            cleans_up: self.status == Status::Cancelled || self.cleans_up,
            depth: self.depth + 1,
            limits: Some(limits),
        };
        action.show("github", "action_path", json!(path));
        action.set_status(Status::Success);
        action
    }

    /// All variables before a step's own, the weakest first; `added` are those of `$GITHUB_ENV`.
    pub(crate) fn env_with<'s>(
        &'s self,
        added: &'s IndexMap<String, String>,
    ) -> impl Iterator<Item = (&'s String, &'s String)> {
        self.env.iter().chain(added).chain(&self.outer_env)
    }

    pub(crate) fn context(&self, name: &str) -> Option<&Value> {
        self.contexts.get(name)
    }

    /// Sets the `env` context.
    pub(crate) fn show_env(&mut self, env: &IndexMap<String, String>) {
        self.contexts.insert("env".to_owned(), json!(env));
    }

    pub(crate) fn set_status(&mut self, status: Status) {
        self.status = status;
        let text = match status {
            Status::Success | Status::Skipped => "success",
            Status::Failure => "failure",
            Status::Cancelled => "cancelled",
        };
        if self.depth > 0 {
            self.show("github", "action_status", json!(text));
        }
        // A failure within a composite action is the job's when the action has ended.
        if self.depth == 0 || status == Status::Cancelled {
            self.show("job", "status", json!(text));
        }
    }

    /// Sets one value of a context.
    pub(crate) fn show(&mut self, context: &str, key: &str, value: Value) {
        if let Some(Value::Object(context)) = self.contexts.get_mut(context) {
            context.insert(key.to_owned(), value);
        }
    }

    /// Sets where the action of a step comes from; none is the repository itself, or no action.
    pub(crate) fn show_origin(&mut self, origin: Option<(String, &str)>) {
        let (repository, version) = origin.unwrap_or_default();
        self.show("github", "action_repository", json!(repository));
        self.show("github", "action_ref", json!(version));
    }

    /// Something failed: what follows runs only if it says so.
    pub(crate) fn fail(&mut self, message: String) {
        self.first_failure.get_or_insert(message);
        if self.status == Status::Success {
            self.set_status(Status::Failure);
        }
    }

    pub(crate) fn interpolate(&mut self, workspace: &Path, template: &str) -> Result<String, String> {
        if !template.contains("${{") {
            return Ok(template.to_owned());
        }
        self.with(workspace, |environment| expr::interpolate(template, environment))
    }

    /// The texts of a mapping such as `env`, which is `of`. A key may be an expression; where it is that of an insertion,
    /// its value gives a mapping.
    pub(crate) fn texts<'t>(
        &mut self,
        workspace: &Path,
        of: &str,
        written: impl IntoIterator<Item = (&'t String, &'t String)>,
    ) -> Result<IndexMap<String, String>, String> {
        let mut texts = IndexMap::new();
        for (name, template) in written {
            let wrong = |name: &str, e: String| format!("`{of}.{name}` is not valid: {e}");
            if !is_insert(name) {
                let name = self.interpolate(workspace, name).map_err(|e| wrong(name, e))?;
                let value = self.interpolate(workspace, template).map_err(|e| wrong(&name, e))?;
                texts.insert(name, value);
                continue;
            }
            let value = self.value(workspace, template).map_err(|e| format!("`{of}` is not valid: {e}"))?;
            let Value::Object(entries) = value else { return Err(format!("`{of}` is no mapping")) };
            for (name, value) in entries {
                let text = expr::text_of(&value).ok_or_else(|| wrong(&name, "it is no text".to_owned()))?;
                texts.insert(name, text);
            }
        }
        Ok(texts)
    }

    pub(crate) fn value(&mut self, workspace: &Path, template: &str) -> Result<Value, String> {
        self.with(workspace, |environment| expr::template_value(template, environment))
    }

    pub(crate) fn condition(&mut self, workspace: &Path, condition: Option<&str>) -> Result<bool, String> {
        match condition {
            // What nearly every step says.
            None => Ok(self.status == Status::Success),
            Some(_) => self.with(workspace, |environment| expr::condition(condition, environment)),
        }
    }

    /// Whether a step with this `if` would run, or goes on, in a job that was cancelled.
    pub(crate) fn holds_when_cancelled(&mut self, workspace: &Path, condition: Option<&str>) -> bool {
        if condition.is_none() {
            return false;
        }
        // All three: `job.status` is that of the job around a composite action.
        let (status, keys) = (self.status, [("job", "status"), ("github", "action_status")]);
        let shown = keys.map(|(context, key)| self.contexts.get(context)?.get(key).cloned());
        self.set_status(Status::Cancelled);
        let holds = self.condition(workspace, condition);
        self.status = status;
        for ((context, key), value) in keys.into_iter().zip(shown) {
            value.into_iter().for_each(|value| self.show(context, key, value));
        }
        // One that cannot be evaluated then ends, as on GitHub.
        holds.unwrap_or(false)
    }

    /// `true`, `false` or an expression that gives one; none is false.
    pub(crate) fn flag(&mut self, workspace: &Path, template: Option<&str>) -> Result<bool, String> {
        match template {
            None => Ok(false),
            Some(template) => match self.value(workspace, template)? {
                Value::Bool(flag) => Ok(flag),
                Value::String(text) if text == "true" => Ok(true),
                Value::String(text) if text == "false" || text.is_empty() => Ok(false),
                other => Err(format!("expected true or false, found `{other}`")),
            },
        }
    }

    /// A number or an expression that gives one.
    pub(crate) fn number(&mut self, workspace: &Path, template: &str) -> Result<f64, String> {
        let value = self.value(workspace, template)?;
        let number = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number.filter(|number| number.is_finite()).ok_or_else(|| format!("expected a number, found `{value}`"))
    }

    fn with<T>(
        &mut self,
        workspace: &Path,
        evaluate: impl FnOnce(&Environment<'_>) -> Result<T, expr::Error>,
    ) -> Result<T, String> {
        let hash = |patterns: &[String]| globs::hash_files(workspace, patterns);
        // Lent for the moment: cloning every context for every expression would cost more than the rest.
        let contexts = std::mem::take(&mut self.contexts);
        let environment = Environment { contexts, status: self.status, hash_files: Some(&hash) };
        let value = evaluate(&environment);
        self.contexts = environment.contexts;
        value.map_err(|e| e.to_string())
    }
}
