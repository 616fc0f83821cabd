use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use workflows::ids::InvalidName;

use crate::{
    blobs::BlobError,
    store::{StoreError, engine::EngineError},
};

/// What people and tools are answered instead of what they asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unauthorized(&'static str),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    NotFound(String),
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("{0}")]
    Conflict(String),
    /// Nothing was recorded; trying again helps once there is room. How much there is, and where, the log says.
    #[error("the server's disk is full; nothing was recorded")]
    Full(#[source] anyhow::Error),
    /// Nothing is known to be recorded; the store takes no writes until the server is started again.
    #[error("the server takes no writes at the moment")]
    Unavailable(#[source] anyhow::Error),
    /// Ours. The details are in the log, not in the answer.
    #[error("the server could not do this")]
    Internal(#[source] anyhow::Error),
}

impl ApiError {
    fn code(&self) -> &'static str {
        match self {
            ApiError::Invalid(_) => "invalid",
            ApiError::Unauthorized(_) => "unauthorized",
            ApiError::Forbidden(_) => "forbidden",
            ApiError::NotFound(_) => "not_found",
            ApiError::TooLarge { .. } => "too_large",
            ApiError::Conflict(_) => "conflict",
            ApiError::Full(_) => "disk_full",
            ApiError::Unavailable(_) => "unavailable",
            ApiError::Internal(_) => "internal",
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            ApiError::Invalid(_) => StatusCode::BAD_REQUEST,
            ApiError::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            ApiError::Forbidden(_) => StatusCode::FORBIDDEN,
            ApiError::NotFound(_) => StatusCode::NOT_FOUND,
            ApiError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::Conflict(_) => StatusCode::CONFLICT,
            ApiError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            ApiError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let ApiError::Internal(error) | ApiError::Full(error) | ApiError::Unavailable(error) = self {
            tracing::error!(error = format!("{error:#}"), "a request failed");
        }
        let body = serde_json::json!({ "error": self.code(), "message": self.to_string() });
        HttpResponse::build(self.status_code()).json(body)
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(error: anyhow::Error) -> Self {
        match error.chain().find_map(|cause| cause.downcast_ref::<StoreError>()) {
            Some(StoreError::Engine(EngineError::DiskFull { .. }) | StoreError::Blob(BlobError::DiskFull { .. })) => {
                ApiError::Full(error)
            }
            Some(StoreError::Engine(EngineError::Failed { .. } | EngineError::Closed)) => ApiError::Unavailable(error),
            Some(StoreError::Engine(_) | StoreError::Blob(_) | StoreError::Corrupt { .. }) | None => {
                ApiError::Internal(error)
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        anyhow::Error::new(error).into()
    }
}

impl From<InvalidName> for ApiError {
    fn from(error: InvalidName) -> Self {
        ApiError::Invalid(error.to_string())
    }
}
