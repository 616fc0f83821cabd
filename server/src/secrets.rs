//! Secrets that the server makes for itself: one file each in `DATA/secrets`, readable by its owner alone.

use std::{
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rand::RngExt;

/// What runners present as `Authorization: Bearer …`.
pub fn runner_token(data: &Path) -> anyhow::Result<String> {
    // Made together, so that whoever has started a server finds both.
    secret(data, "local-webhook")?;
    secret(data, "runner-token")
}

/// What signs deliveries of the local forge.
pub fn local_webhook(data: &Path) -> anyhow::Result<String> {
    secret(data, "local-webhook")
}

/// What people and tools present to change something through the API.
pub fn api_token(data: &Path) -> anyhow::Result<String> {
    secret(data, "api-token")
}

/// The key that seals the secrets of repositories.
pub fn sealing_key(data: &Path) -> anyhow::Result<String> {
    secret(data, "sealing-key")
}

/// Writes what somebody else made, over what was there; where it is now.
pub fn write(data: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let directory = directory(data)?;
    let path = directory.join(name);
    let written = tempfile::NamedTempFile::new_in(&directory).and_then(|mut file| {
        // The file is its owner's alone from the beginning.
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)
    });
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn directory(data: &Path) -> anyhow::Result<PathBuf> {
    let directory = data.join("secrets");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(directory)
}

/// Reads the secret, or makes it: 32 random bytes in hexadecimal digits.
fn secret(data: &Path, name: &str) -> anyhow::Result<String> {
    let directory = directory(data)?;
    let path = directory.join(name);
    make(&directory, &path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut text = String::new();
    std::fs::File::open(&path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(!text.trim().is_empty(), "{} is empty; delete it to have a new one made", path.display());
    Ok(text.trim().to_owned())
}

/// Written aside and linked into place: a crash leaves no half secret, and of two makers one wins.
fn make(directory: &Path, path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let bytes: [u8; 32] = rand::rng().random();
    let aside = directory.join(format!(".{}", hex::encode(&bytes[..8])));
    let secret: [u8; 32] = rand::rng().random();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(hex::encode(secret).as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&aside, path);
    std::fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_readable_by_its_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let token = runner_token(data.path()).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(token, runner_token(data.path()).unwrap());
        assert_ne!(token, local_webhook(data.path()).unwrap());
        let mode = std::fs::metadata(data.path().join("secrets/runner-token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
