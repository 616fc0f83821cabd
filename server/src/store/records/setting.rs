use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::settings::SettingName;

/// A secret of a repository, as `crate::settings` seals it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    pub name: SettingName,
    /// In hexadecimal digits.
    pub nonce: String,
    /// Ciphertext and tag, in hexadecimal digits.
    pub sealed: String,
    pub updated_at: Timestamp,
}

/// A variable of a repository: for everyone to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    pub name: SettingName,
    pub value: String,
    pub updated_at: Timestamp,
}
