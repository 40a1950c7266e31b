//! Identifiers that the platform chooses: users, organizations, workspaces.
//!
//! Each is 1 to 128 characters of `A-Z a-z 0-9 . _ : @ -`, and a value of these types
//! cannot hold anything else.

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

/// A newtype of text that a check has accepted.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident: $check:path, $error:ident, $pattern:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = $pattern, examples($example)))]
        pub struct $name(String);

        impl $name {
            /// The text as it goes over the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                if $check(&text) { Ok(Self(text)) } else { Err($error) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, $error> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use checked_text;

checked_text!(
    /// Who did it: the platform's identifier of a person or of a program acting for one.
    UserId: is_platform_id, InvalidId, "^[A-Za-z0-9._:@-]{1,128}$", "user-1"
);
checked_text!(
    /// An organization (tenant) of the platform.
    OrganizationId: is_platform_id, InvalidId, "^[A-Za-z0-9._:@-]{1,128}$", "acme"
);
checked_text!(
    /// A workspace (compute environment); unique only inside its organization.
    WorkspaceId: is_platform_id, InvalidId, "^[A-Za-z0-9._:@-]{1,128}$", "ws-1"
);

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

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
