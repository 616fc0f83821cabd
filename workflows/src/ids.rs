//! Names of things. Each is validated where it is made, so that a path, a key or a URL built from
//! one needs no further thought.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct InvalidName {
    pub text: String,
    pub expected: &'static str,
}

fn invalid(text: &str, expected: &'static str) -> InvalidName {
    // A hostile name may be megabytes long; the message need not be.
    let text = text.chars().take(120).collect();
    InvalidName { text, expected }
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(invalid(text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_name_part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

text_newtype!(
    /// A git commit id: 40 lower-case hexadecimal digits.
    Sha, "a commit id of 40 hexadecimal digits", |s| s.len() == 40 && is_lower_hex(s));

impl Sha {
    /// Git's all-zero id: what a push reports as `before` of a new branch and `after` of a deleted one.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }

    /// The first seven digits, as GitHub shows a commit.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

text_newtype!(
/// A SHA-256 digest: `sha256:` and 64 lower-case hexadecimal digits.
Digest, "a digest of the form sha256:<64 hexadecimal digits>", |s| {
    s.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && is_lower_hex(hex))
});

impl Digest {
    /// The digits alone, as a file name.
    pub fn hex(&self) -> &str {
        &self.0["sha256:".len()..]
    }

    pub fn from_sha256(bytes: [u8; 32]) -> Self {
        use fmt::Write;
        let mut text = String::from("sha256:");
        for byte in bytes {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        }
        Self(text)
    }
}

text_newtype!(
/// `owner/name`, in the characters that GitHub allows.
RepoName, "a repository of the form owner/name", |s| {
    s.split_once('/').is_some_and(|(owner, name)| is_name_part(owner) && is_name_part(name))
});

impl RepoName {
    pub fn owner(&self) -> &str {
        self.0.split_once('/').expect("validated when it was made").0
    }

    pub fn name(&self) -> &str {
        self.0.split_once('/').expect("validated when it was made").1
    }
}

text_newtype!(
/// The key of a job under `jobs:`; GitHub's rule: a letter or `_`, then letters, digits, `-`, `_`.
JobId, "a job id (a letter or `_`, then letters, digits, `-` or `_`)", |s| {
    s.len() <= 100
        && s.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
});

text_newtype!(
/// One job of a run after matrix expansion: `test`, or `test.3` for the fourth row of a matrix;
/// jobs of a called workflow are joined by `/` (`call/test.3`). Unique within a run.
JobKey, "a job key", |s| {
    !s.is_empty()
        && s.len() <= JobKey::MAX_BYTES
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
});

impl JobKey {
    /// The key of a job without a matrix (`row` none) or of one row of its matrix.
    pub fn new(job: &JobId, row: Option<usize>) -> Self {
        match row {
            None => Self(job.as_str().to_owned()),
            Some(row) => Self(format!("{job}.{row}")),
        }
    }

    /// The longest key that there may be, in bytes.
    pub const MAX_BYTES: usize = 300;

    /// The key of a job of the workflow that the job `self` calls.
    pub fn within(&self, inner: &JobKey) -> Self {
        Self(format!("{self}/{inner}"))
    }

    /// The job that calls the workflow that this job is part of; none where it is of the run's own.
    pub fn caller(&self) -> Option<JobKey> {
        self.0.rsplit_once('/').map(|(caller, _)| Self(caller.to_owned()))
    }

    /// Whether a call, or one that it makes in turn, is what it is part of.
    pub fn is_within(&self, call: &JobKey) -> bool {
        std::iter::successors(self.caller(), JobKey::caller).any(|around| around == *call)
    }

    /// The key without the last row: what all rows of one `jobs.<id>` have in common.
    pub fn group(&self) -> JobKey {
        match self.row() {
            Some(_) => Self(self.0.rsplit_once('.').map_or(self.0.as_str(), |(group, _)| group).to_owned()),
            None => self.clone(),
        }
    }

    /// Which row of its own matrix it is.
    pub fn row(&self) -> Option<usize> {
        self.last().split_once('.').and_then(|(_, row)| row.parse().ok())
    }

    /// The job's own id, in the workflow that it is part of.
    pub fn id(&self) -> Option<JobId> {
        self.last().split('.').next().and_then(|id| id.parse().ok())
    }

    fn last(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

text_newtype!(
/// The name of an artifact: no path separators and none of the characters that GitHub forbids.
ArtifactName, "an artifact name (1–200 characters, none of \\ / : * ? \" < > | or a line break)", |s| {
    !s.is_empty()
        && s.len() <= 200
        && s != "."
        && s != ".."
        && !s.chars().any(|c| c.is_control() || "\\/:*?\"<>|".contains(c))
});

/// Where a repository lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forge {
    /// GitHub.com or GitHub Enterprise Server.
    Github,
    /// A bare repository on the server's machine, with Assay's hooks.
    Local,
}

impl fmt::Display for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Forge::Github => "github",
            Forge::Local => "local",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_place_are_refused() {
        for text in ["", "a", "a/b/c", "../x", "a/..", "a/b c", "a/\n", "/b", "a/"] {
            assert!(text.parse::<RepoName>().is_err(), "{text:?} was taken");
        }
        for text in ["", "..", "a/b", "a\\b", "a\nb", "x:y"] {
            assert!(text.parse::<ArtifactName>().is_err(), "{text:?} was taken");
        }
        assert!("é".repeat(20).parse::<Sha>().is_err());
        assert!("ABCDEF0123456789ABCDEF0123456789ABCDEF01".parse::<Sha>().is_err());
    }

    #[test]
    fn a_digest_round_trips_through_its_text() {
        let digest = Digest::from_sha256([0xab; 32]);
        assert_eq!(digest, digest.as_str().parse().unwrap());
        assert_eq!(digest.hex().len(), 64);
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(digest, serde_json::from_str(&json).unwrap());
        assert!(serde_json::from_str::<Digest>("\"sha256:00\"").is_err());
    }

    #[test]
    fn a_repository_knows_its_parts() {
        let repo: RepoName = "acme/digits".parse().unwrap();
        assert_eq!((repo.owner(), repo.name()), ("acme", "digits"));
    }
}
