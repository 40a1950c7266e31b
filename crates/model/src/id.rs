//! Identifiers that the platform chooses: users, organizations, workspaces.
//!
//! Each is 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`, and a value of these types
//! cannot hold anything else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest platform identifier, in characters.
pub const MAX_ID_LENGTH: usize = 128;

/// A text that is no platform identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -")]
pub struct InvalidId;

fn is_platform_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'-'))
}

macro_rules! platform_id {
    ($(#[$doc:meta])* $name:ident, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(
            value_type = String, min_length = 1, max_length = 128,
            pattern = "^[A-Za-z0-9._:@-]+$", examples($example)))]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                if is_platform_id(&text) { Ok(Self(text)) } else { Err(InvalidId) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

platform_id!(
    /// Who did it: the platform's identifier of a person or of a program acting for one.
    UserId,
    "user-1"
);
platform_id!(
    /// An organization (tenant) of the platform.
    OrganizationId,
    "acme"
);
platform_id!(
    /// A workspace (compute environment); unique only inside its organization.
    WorkspaceId,
    "ws-1"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_whole_alphabet_and_nothing_else() {
        assert!(UserId::from_str("Az09._:@-").is_ok());
        assert!(UserId::from_str(&"x".repeat(128)).is_ok());
        for bad in ["", " ", "a b", "ä", "a/b", "a\0", "a%", &"x".repeat(129)] {
            assert_eq!(UserId::from_str(bad), Err(InvalidId), "{bad:?}");
        }
    }
}
