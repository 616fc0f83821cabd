use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use workflows::{
    ids::Digest,
    syntax::{Diagnostic, Severity, Workflow},
};

/// Parsed workflow files by file name and digest of their text. A file is the same at most commits.
#[derive(Default)]
pub struct WorkflowCache {
    parsed: Mutex<HashMap<(String, Digest), Parsed>>,
}

/// A file as the parser understood it.
#[derive(Clone)]
pub struct Parsed {
    pub workflow: Option<Arc<Workflow>>,
    pub diagnostics: Arc<[Diagnostic]>,
}

impl Parsed {
    /// The workflow, if nothing in it is wrong.
    pub fn valid(&self) -> Option<&Arc<Workflow>> {
        let wrong = self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        self.workflow.as_ref().filter(|_| !wrong)
    }
}

/// A cache that grew beyond this starts anew: simpler than an order of use, and rare.
const MOST_FILES: usize = 256;

impl WorkflowCache {
    pub fn parse(&self, file: &str, digest: &Digest, text: &str) -> Parsed {
        let key = (file.to_owned(), digest.clone());
        if let Some(parsed) = self.parsed.lock().expect("no holder panics").get(&key) {
            return parsed.clone();
        }
        let (workflow, diagnostics) = workflows::syntax::parse(file, text);
        let parsed = Parsed { workflow: workflow.map(Arc::new), diagnostics: diagnostics.into() };
        let mut cache = self.parsed.lock().expect("no holder panics");
        if cache.len() >= MOST_FILES {
            cache.clear();
        }
        cache.insert(key, parsed.clone());
        parsed
    }

    pub fn get(&self, file: &str, digest: &Digest) -> Option<Parsed> {
        self.parsed.lock().expect("no holder panics").get(&(file.to_owned(), digest.clone())).cloned()
    }
}
