//! Tokens: JSON Web Tokens (RFC 7519) checked with shared secrets (HS256) or with a key set
//! (JWKS, RFC 7517).
//!
//! The algorithm is a property of the key. A token that names another one is refused, so a
//! public key can't be used as a secret, and no key has the algorithm `none`.

mod jwk;
mod key_set;
mod secret;
mod source;
mod verify;

use std::time::Duration;

pub use secret::{MIN_SECRET_BYTES, Secret};
pub(crate) use secret::{read_secret_file, without_line_break};
pub use source::SetSource;
pub use verify::Verifier;

/// How long a key set is trusted that can't be read again, unless it is configured.
pub const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Shared secrets: a token signed with any of them is accepted.
    Secrets(Vec<Secret>),
    /// A key set.
    Set {
        /// Where it is read from, again and again.
        source: SetSource,
        /// How long it is trusted when it can't be read again.
        max_stale: Duration,
    },
}

impl From<SetSource> for KeySource {
    fn from(source: SetSource) -> Self {
        KeySource::Set { source, max_stale: MAX_STALE }
    }
}
