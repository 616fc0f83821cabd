//! Writing outcomes: JSON Lines, compressed where the name says so, in place only when complete.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use workflows::{
    evaluation::{BlobRef, Outcome, OutcomesHeader},
    ids::Digest,
};

use super::error::EvalError;

/// Outcomes on their way to a file. Dropped before [`OutcomesWriter::finish`], nothing is left.
pub(super) struct OutcomesWriter {
    path: PathBuf,
    temporary: tempfile::TempPath,
    sink: Sink,
}

enum Sink {
    Plain(BufWriter<Hashing>),
    Zstd(zstd::Encoder<'static, BufWriter<Hashing>>),
}

/// Digests what passes through.
struct Hashing {
    file: fs::File,
    hasher: Sha256,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl OutcomesWriter {
    pub(super) fn create(path: &Path, header: &OutcomesHeader) -> Result<Self, EvalError> {
        let error = |source| EvalError::Write { path: path.to_owned(), source };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(error)?;
        let (file, temporary) =
            tempfile::Builder::new().prefix(".outcomes-").tempfile_in(parent).map_err(error)?.into_parts();
        let sink = BufWriter::new(Hashing { file, hasher: Sha256::new(), bytes: 0 });
        let sink = if path.extension().is_some_and(|extension| extension == "zst") {
            Sink::Zstd(zstd::Encoder::new(sink, 3).map_err(error)?)
        } else {
            Sink::Plain(sink)
        };
        let mut writer = Self { path: path.to_owned(), temporary, sink };
        writer.line(header)?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, outcome: &Outcome) -> Result<(), EvalError> {
        self.line(outcome)
    }

    fn line(&mut self, value: &impl serde::Serialize) -> Result<(), EvalError> {
        let sink: &mut dyn Write = match &mut self.sink {
            Sink::Plain(sink) => sink,
            Sink::Zstd(sink) => sink,
        };
        let result = serde_json::to_writer(&mut *sink, value).map_err(io::Error::from);
        result
            .and_then(|()| sink.write_all(b"\n"))
            .map_err(|source| EvalError::Write { path: self.path.clone(), source })
    }

    /// Moves the complete file into place.
    pub(super) fn finish(self) -> Result<BlobRef, EvalError> {
        let Self { path, temporary, sink } = self;
        let finish = || -> io::Result<BlobRef> {
            let sink = match sink {
                Sink::Plain(sink) => sink,
                Sink::Zstd(sink) => sink.finish()?,
            };
            let hashing = sink.into_inner().map_err(io::IntoInnerError::into_error)?;
            use std::os::unix::fs::PermissionsExt;
            // Temporary files are private; outcomes are as readable as any other output.
            hashing.file.set_permissions(fs::Permissions::from_mode(0o644))?;
            temporary.persist(&path).map_err(|e| e.error)?;
            Ok(BlobRef { digest: Digest::from_sha256(hashing.hasher.finalize().into()), bytes: hashing.bytes })
        };
        finish().map_err(|source| EvalError::Write { path: path.clone(), source })
    }
}
