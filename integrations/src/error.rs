//! What can go wrong with a neighbour. No variant holds a token, a value or a request's body, so an error may be logged and shown.

use std::time::Duration;

/// Says who, at which call, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{peer} cannot be reached for {call}: {reason}")]
    Unreachable { peer: String, call: String, reason: String },
    #[error("{peer} did not answer {call} within {after:?}")]
    Timeout { peer: String, call: String, after: Duration },
    #[error("{peer} is sealed: unseal it")]
    Sealed { peer: String },
    #[error("{peer} refused {call} with status {status}: {message}")]
    Refused { peer: String, call: String, status: u16, message: String },
    #[error("{peer} has nothing at {what}")]
    NotFound { peer: String, what: String },
    #[error("{peer} answered {call} with what is not understood: {reason}")]
    Malformed { peer: String, call: String, reason: String },
    #[error("{peer} answered {call} with more than {limit} bytes")]
    TooLarge { peer: String, call: String, limit: usize },
    #[error("{what} is not available from {peer}")]
    Unsupported { peer: String, what: String },
    #[error("the configuration of {peer} cannot be used: {reason}")]
    Configuration { peer: String, reason: String },
}

impl Error {
    /// Whether the same call may succeed later with nobody changing anything about it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Sealed { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429 || *status == 412,
            Self::NotFound { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Unsupported { .. }
            | Self::Configuration { .. } => false,
        }
    }

    /// Whether the token is missing, has expired, or may not do this.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Refused { status: 404, .. })
    }

    /// Whether the peer does not know the call at all, as smaller servers of the same API do not know all of it.
    pub(crate) fn is_unknown_call(&self) -> bool {
        match self {
            Self::NotFound { .. } => true,
            Self::Refused { status, message, .. } => {
                matches!(status, 404 | 405 | 501) || (*status == 500 && message.contains("not supported"))
            }
            _ => false,
        }
    }
}
