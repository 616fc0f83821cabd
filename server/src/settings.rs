//! Secrets and variables of a repository, for its workflows.
//!
//! A secret is sealed with AES-256 in Galois/counter mode under a key of its own file
//! (`DATA/secrets/sealing-key`): whoever has the store, or a backup of it, has no secret yet. Repository and name
//! are authenticated with it, so that one secret cannot be put in the place of another. Nobody is told a value
//! again except the runner of a trusted job.

use std::collections::BTreeMap;

use anyhow::Context;
use jiff::Timestamp;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use rand::RngExt;
use serde_json::{Map, Value};
use workflows::{
    ids::RepoName,
    settings::{MAX_VALUE_BYTES, SettingName},
};

use crate::{
    app::App,
    error::ApiError,
    secrets,
    store::{
        Change, Stored,
        engine::Direction,
        keys,
        records::{Secret, Variable},
    },
};

/// Secrets, and variables, of one repository.
const MOST: usize = 500;

/// Bytes of the authentication tag.
const TAG: usize = 16;

fn key(app: &App) -> anyhow::Result<Vec<u8>> {
    let key = hex::decode(secrets::sealing_key(&app.config.data)?).context("DATA/secrets/sealing-key is damaged")?;
    anyhow::ensure!(key.len() == 32, "DATA/secrets/sealing-key is not of 32 bytes");
    Ok(key)
}

/// What is authenticated beside a value. Neither holds a zero byte.
fn belongs_to(repo: &RepoName, name: &SettingName) -> Vec<u8> {
    format!("{repo}\0{name}").into_bytes()
}

fn seal(key: &[u8], repo: &RepoName, name: &SettingName, value: &str, now: Timestamp) -> anyhow::Result<Secret> {
    let nonce: [u8; 12] = rand::rng().random();
    let mut tag = [0; TAG];
    let aad = belongs_to(repo, name);
    let mut sealed = encrypt_aead(Cipher::aes_256_gcm(), key, Some(&nonce), &aad, value.as_bytes(), &mut tag)?;
    sealed.extend(tag);
    Ok(Secret { name: name.clone(), nonce: hex::encode(nonce), sealed: hex::encode(sealed), updated_at: now })
}

fn open(key: &[u8], repo: &RepoName, secret: &Secret) -> anyhow::Result<String> {
    let (nonce, sealed) = (hex::decode(&secret.nonce)?, hex::decode(&secret.sealed)?);
    let (text, tag) = sealed.split_last_chunk::<TAG>().context("it is too short")?;
    let aad = belongs_to(repo, &secret.name);
    let value = decrypt_aead(Cipher::aes_256_gcm(), key, Some(&nonce), &aad, text, tag)
        .context("it was not sealed with this server's DATA/secrets/sealing-key; set it again")?;
    Ok(String::from_utf8(value)?)
}

/// The values of all secrets, for a trusted job.
pub async fn secrets(app: &App, repo: &RepoName) -> anyhow::Result<BTreeMap<String, String>> {
    let stored = list_secrets(app, repo).await?;
    if stored.is_empty() {
        return Ok(BTreeMap::new());
    }
    let key = key(app)?;
    let opened = stored.iter().map(|secret| {
        let value = open(&key, repo, secret).with_context(|| format!("the secret {} of {repo}", secret.name))?;
        Ok((secret.name.as_str().to_owned(), value))
    });
    opened.collect()
}

/// The `vars` context.
pub async fn vars(app: &App, repo: &RepoName) -> anyhow::Result<Map<String, Value>> {
    let variables = list_variables(app, repo).await?;
    Ok(variables.into_iter().map(|own| (own.name.into(), Value::String(own.value))).collect())
}

/// By name, sealed.
pub async fn list_secrets(app: &App, repo: &RepoName) -> anyhow::Result<Vec<Secret>> {
    let stored: Vec<Stored<Secret>> = app.store.scan(&keys::secrets(repo), Direction::Forward, MOST).await?;
    Ok(stored.into_iter().map(|stored| stored.record).collect())
}

/// By name.
pub async fn list_variables(app: &App, repo: &RepoName) -> anyhow::Result<Vec<Variable>> {
    let stored: Vec<Stored<Variable>> = app.store.scan(&keys::variables(repo), Direction::Forward, MOST).await?;
    Ok(stored.into_iter().map(|stored| stored.record).collect())
}

fn check_size(value: &str) -> Result<(), ApiError> {
    if value.len() > MAX_VALUE_BYTES { Err(ApiError::TooLarge { limit: MAX_VALUE_BYTES }) } else { Ok(()) }
}

fn check_room(count: usize, repo: &RepoName) -> Result<(), ApiError> {
    if count < MOST {
        return Ok(());
    }
    Err(ApiError::Conflict(format!("{repo} has {MOST} of them already")))
}

/// Sets a secret, in the place of an older value.
pub async fn set_secret(app: &App, repo: &RepoName, name: &SettingName, value: &str) -> Result<(), ApiError> {
    check_size(value)?;
    if value.is_empty() {
        return Err(ApiError::Invalid("a secret cannot be empty; delete it instead".to_owned()));
    }
    let others = list_secrets(app, repo).await?.into_iter().filter(|own| own.name != *name).count();
    check_room(others, repo)?;
    let secret = seal(&key(app)?, repo, name, value, app.clock.now())?;
    let mut change = Change::default();
    change.put(keys::secret(repo, name), &secret);
    app.store.commit(change).await?;
    Ok(())
}

/// Sets a variable, in the place of an older value.
pub async fn set_variable(app: &App, repo: &RepoName, name: &SettingName, value: &str) -> Result<(), ApiError> {
    check_size(value)?;
    let others = list_variables(app, repo).await?.into_iter().filter(|own| own.name != *name).count();
    check_room(others, repo)?;
    let variable = Variable { name: name.clone(), value: value.to_owned(), updated_at: app.clock.now() };
    let mut change = Change::default();
    change.put(keys::variable(repo, name), &variable);
    app.store.commit(change).await?;
    Ok(())
}

/// Deletes a secret or a variable, whose key it is.
pub async fn delete(app: &App, key: &keys::Key, name: &SettingName) -> Result<(), ApiError> {
    if app.store.get_raw(key).await.map_err(anyhow::Error::from)?.is_none() {
        return Err(ApiError::NotFound(format!("there is no {name}")));
    }
    let mut change = Change::default();
    change.delete(key);
    app.store.commit(change).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_key_under_its_name_alone() {
        let (repo, name) = ("acme/digits".parse().unwrap(), "TOKEN".parse().unwrap());
        let sealed = seal(&[7; 32], &repo, &name, "hunter22", Timestamp::UNIX_EPOCH).unwrap();
        assert!(!sealed.sealed.contains(&hex::encode("hunter22")));
        assert_eq!(open(&[7; 32], &repo, &sealed).unwrap(), "hunter22");
        assert!(open(&[8; 32], &repo, &sealed).is_err());
        assert!(open(&[7; 32], &"acme/other".parse().unwrap(), &sealed).is_err());
        let moved = Secret { name: "OTHER".parse().unwrap(), ..sealed.clone() };
        assert!(open(&[7; 32], &repo, &moved).is_err());
        let cut = Secret { sealed: "00".to_owned(), ..sealed };
        assert!(open(&[7; 32], &repo, &cut).is_err());
    }
}
