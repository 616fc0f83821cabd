//! An evaluation is a function of its inputs, so the result of one that was made before is the result.
//!
//! The key says what the inputs were; [`Results`] keeps what came out, beside a digest of it. Who may read
//! whose results is the caller's to say, by directories: what untrusted code computed must not become a
//! baseline, so trusted code never reads where untrusted code writes.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use workflows::{
    evaluation::{BlobRef, Evaluation},
    ids::Digest,
};

use super::{
    EvalError, EvalSettings,
    evaluate::{Data, evaluate_data},
    facts::{device_name, file_facts},
    inspect::ModelFile,
    library::{self, Library, Places},
    runtime::{self, LoadError},
};
use crate::{archive::digest_file, dataset::Digesting};

/// What an evaluation is a function of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Of everything: model, data set, settings, versions, provider and device class.
    pub key: Digest,
    /// The model with the weights beside it.
    pub model: Digest,
    pub dataset: Digest,
}

impl Key {
    /// Whether an evaluation is about the key's files, which may have changed while it was made.
    pub(crate) fn is_of(&self, evaluation: &Evaluation) -> bool {
        evaluation.model.digest == self.model && evaluation.dataset.digest == self.dataset
    }
}

/// Version of the keys: counts up when an evaluation of equal inputs gives other results than before.
const KEYS: u32 = 2;

/// Computes an evaluation's key. Reads the files, and loads nothing.
pub fn key(library: &Library, settings: &EvalSettings) -> Result<Key, EvalError> {
    key_of(library, settings, &Data::open(settings)?.digest)
}

fn key_of(library: &Library, settings: &EvalSettings, digest: &Digesting) -> Result<Key, EvalError> {
    let model = ModelFile::examine(&settings.model)?.facts().digest.clone();
    // Images that a data set names by path are not in this digest, but in the evaluation's: such results are not kept.
    let (dataset, _) = digest.wait()?.clone();
    let tokenizer = match &settings.tokenizer {
        None => String::new(),
        Some(path) => {
            let facts = file_facts(path).map_err(|e| EvalError::Usage(format!("{}: {e}", path.display())))?;
            facts.digest.to_string()
        }
    };
    // A build of one's own names no version in its file.
    let runtime = match &library.version {
        Some(version) => version.clone(),
        None => {
            let error = |source| EvalError::Write { path: library.path.clone(), source };
            file_facts(&library.path).map_err(error)?.digest.to_string()
        }
    };
    // Where files lie and what an evaluation is called change none of its numbers; everything else may.
    let settings = EvalSettings {
        name: String::new(),
        model: PathBuf::new(),
        dataset: PathBuf::new(),
        outcomes: None,
        device: 0,
        sessions: 1,
        tokenizer: None,
        ..settings.clone()
    };
    let device = device_name(settings.provider, settings.device);
    let inputs = format!(
        "{KEYS}\n{}\n{runtime}\n{model}\n{dataset}\n{device}\n{tokenizer}\n{settings:?}",
        env!("CARGO_PKG_VERSION")
    );
    Ok(Key { key: Digest::from_sha256(Sha256::digest(inputs).into()), model, dataset })
}

/// Evaluates, unless the result is known. One that is computed is kept; where that cannot be, a warning says so.
pub fn evaluate_or_reuse(
    settings: &EvalSettings,
    results: Option<&Results>,
    progress: &dyn Fn(&str),
) -> Result<Evaluation, EvalError> {
    let library = library::locate_or_install(&Places::from_env(), progress).map_err(LoadError::from)?;
    let data = Data::open(settings)?;
    // What cannot be keyed cannot be evaluated either: the evaluation says why.
    let keyed = results.and_then(|results| Some((results, key_of(&library, settings, &data.digest).ok()?)));
    if let Some((results, key)) = &keyed
        && let Some(known) = results.find(key, settings.outcomes.is_some())
    {
        return known.answer(settings);
    }
    let evaluation = evaluate_data(runtime::load(library)?, settings, data)?;
    if let Some((results, key)) = &keyed
        && let Err(e) = results.keep(key, &evaluation, settings.outcomes.as_deref())
    {
        tracing::warn!("the result is not kept: {e}");
    }
    Ok(evaluation)
}

/// Results kept in directories of this machine.
#[derive(Debug, Clone)]
pub struct Results {
    read: Vec<PathBuf>,
    write: PathBuf,
}

/// A kept result: its text and a digest of it, so that a damaged one is told from a good one.
#[derive(Serialize, Deserialize)]
struct Entry {
    checksum: Digest,
    /// [`Evaluation`] as JSON.
    evaluation: String,
}

/// A result found.
#[derive(Debug)]
pub struct Known {
    pub evaluation: Evaluation,
    /// Its outcomes, compressed (`.jsonl.zst`).
    pub outcomes: Option<PathBuf>,
}

/// Results kept in one directory; of more, the oldest go.
const MOST_ENTRIES: usize = 4096;

impl Results {
    /// Reads from all of `read`, in order, and writes to `write`.
    pub fn new(read: Vec<PathBuf>, write: PathBuf) -> Self {
        Self { read, write }
    }

    /// One person's, on their own machine.
    pub fn of_user(cache: &Path) -> Self {
        let directory = cache.join("evaluations");
        Self::new(vec![directory.clone()], directory)
    }

    /// The result for a key. One that is damaged, or that kept no outcomes where they are wanted, is none.
    pub fn find(&self, key: &Key, outcomes_wanted: bool) -> Option<Known> {
        self.read.iter().find_map(|directory| find_in(directory, key, outcomes_wanted))
    }

    /// Keeps a result. `outcomes` is the file that belongs to it, as it was written.
    ///
    /// One that is not about the key's files is not kept: they changed meanwhile.
    pub fn keep(&self, key: &Key, evaluation: &Evaluation, outcomes: Option<&Path>) -> io::Result<()> {
        if !key.is_of(evaluation) || evaluation.cached {
            return Ok(());
        }
        fs::create_dir_all(&self.write)?;
        let mut kept = evaluation.clone();
        kept.outcomes = None;
        if let Some(file) = outcomes {
            let mut temporary = tempfile::NamedTempFile::new_in(&self.write)?;
            copy_compressed(file, temporary.as_file_mut())?;
            let (digest, bytes) = digest_file(temporary.path())?;
            temporary.persist(outcomes_path(&self.write, &digest)).map_err(|e| e.error)?;
            kept.outcomes = Some(BlobRef { digest, bytes });
        }
        let evaluation = serde_json::to_string(&kept)?;
        let checksum = Digest::from_sha256(Sha256::digest(&evaluation).into());
        let mut temporary = tempfile::NamedTempFile::new_in(&self.write)?;
        serde_json::to_writer(&mut temporary, &Entry { checksum, evaluation })?;
        temporary.persist(entry_path(&self.write, &key.key)).map_err(|e| e.error)?;
        prune(&self.write, MOST_ENTRIES)
    }
}

fn entry_path(directory: &Path, key: &Digest) -> PathBuf {
    directory.join(format!("{}.json", key.hex()))
}

fn outcomes_path(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join(format!("{}.jsonl.zst", digest.hex()))
}

fn find_in(directory: &Path, key: &Key, outcomes_wanted: bool) -> Option<Known> {
    let text = fs::read(entry_path(directory, &key.key)).ok()?;
    let entry: Entry = serde_json::from_slice(&text).ok()?;
    if Digest::from_sha256(Sha256::digest(&entry.evaluation).into()) != entry.checksum {
        return None;
    }
    let evaluation: Evaluation = serde_json::from_str(&entry.evaluation).ok()?;
    if !key.is_of(&evaluation) {
        return None;
    }
    let outcomes = match &evaluation.outcomes {
        None => None,
        Some(blob) => {
            let path = outcomes_path(directory, &blob.digest);
            let (digest, bytes) = digest_file(&path).ok()?;
            (digest == blob.digest && bytes == blob.bytes).then_some(())?;
            Some(path)
        }
    };
    (outcomes.is_some() || !outcomes_wanted).then_some(Known { evaluation, outcomes })
}

impl Known {
    /// The result as if it had been computed for `settings`, its outcomes written where those say.
    pub fn answer(self, settings: &EvalSettings) -> Result<Evaluation, EvalError> {
        let mut evaluation = self.evaluation;
        evaluation.cached = true;
        evaluation.name.clone_from(&settings.name);
        evaluation.model.path = settings.model.display().to_string();
        evaluation.dataset.path = settings.dataset.display().to_string();
        evaluation.outcomes = match (&settings.outcomes, self.outcomes) {
            (Some(to), Some(from)) => {
                Some(deliver(&from, to).map_err(|source| EvalError::Write { path: to.clone(), source })?)
            }
            (_, _) => None,
        };
        Ok(evaluation)
    }
}

/// Writes kept outcomes to `to`, in place only when complete.
fn deliver(from: &Path, to: &Path) -> io::Result<BlobRef> {
    use std::os::unix::fs::PermissionsExt;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let mut temporary = tempfile::NamedTempFile::new_in(parent)?;
    let mut file = fs::File::open(from)?;
    if is_compressed(to) {
        io::copy(&mut file, &mut temporary)?;
    } else {
        zstd::stream::copy_decode(file, &mut temporary)?;
    }
    temporary.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    let (digest, bytes) = digest_file(temporary.path())?;
    temporary.persist(to).map_err(|e| e.error)?;
    Ok(BlobRef { digest, bytes })
}

fn copy_compressed(from: &Path, mut to: &mut fs::File) -> io::Result<()> {
    let file = fs::File::open(from)?;
    if is_compressed(from) {
        io::copy(&mut file.take(u64::MAX), &mut to)?;
    } else {
        zstd::stream::copy_encode(file, &mut to, 3)?;
    }
    to.flush()
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

/// Removes the files that were written first, beyond `most` of them. An entry without its outcomes is a miss.
pub(crate) fn prune(directory: &Path, most: usize) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(directory)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    files.sort();
    for (_, path) in files.iter().take(files.len().saturating_sub(most)) {
        // Another process may have been faster.
        fs::remove_file(path).ok();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
