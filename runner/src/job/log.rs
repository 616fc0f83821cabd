//! The job's log: secrets masked, workflow commands heard, bytes counted.

use std::path::PathBuf;

use bytes::Bytes;
use workflows::protocol::{Annotation, AnnotationLevel};

use super::{
    commands::{self, Command},
    host::JobHost,
    mask::Masks,
};

/// A line that is longer is passed on in parts, and is not a command.
const LONGEST_LINE: usize = 64 * 1024;

/// GitHub keeps ten of each level per step.
const ANNOTATIONS_PER_STEP: usize = 10;

/// Writes one job's log to its host.
pub(crate) struct JobLog<'a> {
    host: &'a dyn JobHost,
    pub masks: Masks,
    /// Annotations name files from here.
    workspace: PathBuf,
    /// Bytes written.
    length: u64,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The partial line's beginning was passed on already.
    in_long_line: bool,
    stopped_by: Option<String>,
    /// Why the step that said it has failed.
    refusal: Option<String>,
    annotations: Vec<Annotation>,
    step_began_at: usize,
}

impl<'a> JobLog<'a> {
    pub(crate) fn new(host: &'a dyn JobHost, masks: Masks, workspace: PathBuf) -> Self {
        Self {
            host,
            masks,
            workspace,
            length: 0,
            partial: Vec::new(),
            in_long_line: false,
            stopped_by: None,
            refusal: None,
            annotations: Vec::new(),
            step_began_at: 0,
        }
    }

    /// Bytes of the log so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Takes what a process wrote.
    pub(crate) async fn output(&mut self, bytes: &[u8]) {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            if self.partial.is_empty() {
                self.line(line, &mut out);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole, &mut out);
            }
            self.in_long_line = false;
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > LONGEST_LINE {
            let used = self.masks.apply_partial(&self.partial, &mut out);
            self.partial.drain(..used);
            self.in_long_line = true;
        }
        self.write(out).await;
    }

    /// Ends the output of a process: a last line without its line break is given one.
    pub(crate) async fn end_output(&mut self) {
        if !self.partial.is_empty() || self.in_long_line {
            self.output(b"\n").await;
        }
        self.stopped_by = None;
    }

    /// A line of the runner's own.
    pub(crate) async fn say(&mut self, text: &str) {
        let mut out = Vec::with_capacity(text.len() + 1);
        self.masks.apply(text.as_bytes(), &mut out);
        out.push(b'\n');
        self.write(out).await;
    }

    /// A remark of the runner's own, in the log and as an annotation.
    pub(crate) async fn annotate(&mut self, annotation: Annotation) {
        let line = shown(&annotation);
        self.keep(annotation);
        self.say(&line).await;
    }

    /// The next step may make as many annotations again.
    pub(crate) fn begin_step(&mut self) {
        self.step_began_at = self.annotations.len();
    }

    /// Whether a command was refused since this was asked last.
    pub(crate) fn take_refusal(&mut self) -> Result<(), String> {
        self.refusal.take().map_or(Ok(()), Err)
    }

    pub(crate) fn take_annotations(&mut self) -> Vec<Annotation> {
        self.step_began_at = 0;
        std::mem::take(&mut self.annotations)
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if !self.in_long_line
            && let Some(shown) = self.command(line)
        {
            self.masks.apply(shown.as_bytes(), out);
            return;
        }
        self.masks.apply(line, out);
    }

    /// What the log shows in the place of a command; none where the line is text.
    fn command(&mut self, line: &[u8]) -> Option<String> {
        let first = line.iter().position(|byte| !byte.is_ascii_whitespace())?;
        if !line[first..].starts_with(b"::") {
            return None;
        }
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches(['\n', '\r']);
        if let Some(token) = &self.stopped_by {
            if text.trim().eq_ignore_ascii_case(&format!("::{token}::")) {
                self.stopped_by = None;
            }
            return None;
        }
        let shown = match commands::parse(text)? {
            Command::Annotate(mut annotation) => {
                if let Some(path) = self.workspace.to_str().and_then(|root| annotation.path.strip_prefix(root))
                    && let Some(path) = path.strip_prefix('/')
                {
                    annotation.path = path.to_owned();
                }
                let line = shown(&annotation);
                self.keep(annotation);
                line
            }
            Command::AddMask(secret) => {
                self.masks.add(&secret);
                "::add-mask::***".to_owned()
            }
            Command::Group(title) => format!("##[group]{title}"),
            Command::EndGroup => "##[endgroup]".to_owned(),
            Command::Debug(text) => format!("##[debug]{text}"),
            Command::StopCommands(token) => {
                self.stopped_by = Some(token);
                return None;
            }
            Command::Abolished(name) => {
                let message = format!(
                    "`::{name}::` does nothing: write to the files $GITHUB_ENV, $GITHUB_PATH or $GITHUB_OUTPUT instead"
                );
                let shown = format!("##[warning]{message}");
                self.keep(Annotation {
                    path: String::new(),
                    line: 1,
                    column: None,
                    level: AnnotationLevel::Warning,
                    title: None,
                    message,
                });
                shown
            }
            Command::Refused(name) => {
                let message =
                    format!("`::{name}::` is refused: write to the files $GITHUB_ENV or $GITHUB_PATH instead");
                let shown = format!("##[error]{message}");
                self.refusal.get_or_insert(message);
                shown
            }
        };
        Some(shown + "\n")
    }

    fn keep(&mut self, mut annotation: Annotation) {
        let same = self.annotations[self.step_began_at..].iter().filter(|a| a.level == annotation.level).count();
        if same < ANNOTATIONS_PER_STEP {
            annotation.message = self.masks.text(&annotation.message);
            annotation.title = annotation.title.map(|title| self.masks.text(&title));
            self.annotations.push(annotation);
        }
    }

    async fn write(&mut self, out: Vec<u8>) {
        if !out.is_empty() {
            self.length += out.len() as u64;
            self.host.log(Bytes::from(out)).await;
        }
    }
}

fn shown(annotation: &Annotation) -> String {
    let level = match annotation.level {
        AnnotationLevel::Notice => "notice",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Failure => "error",
    };
    format!("##[{level}]{}", annotation.message)
}
