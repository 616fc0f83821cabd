use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflows::ids::{Digest, Forge};

/// One accepted webhook. Its body is kept beside it, under its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub forge: Forge,
    pub guid: String,
    /// As the forge's header names it.
    pub event: String,
    pub received_at: Timestamp,
    pub body: Digest,
    pub state: DeliveryState,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    /// Its body was here before, under another id, which the signature does not cover: whether the forge sent this
    /// one is asked of the forge.
    Doubted {
        failures: u32,
        not_before: Option<Timestamp>,
    },
    Open {
        failures: u32,
        not_before: Option<Timestamp>,
    },
    /// What came of it, for people.
    Done {
        at: Timestamp,
        outcome: String,
    },
}
