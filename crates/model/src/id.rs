//! Identifiers that the platform chooses: users, organizations, workspaces.
//!
//! Real ones look like `auth0|64f1`, `ada+test@acme.io`, `cn=Ada,ou=Eng` or
//! `arn:aws:iam::1:user/ada`, so nearly any text is one. What is refused could not be told apart
//! by people, is read as something else in a path (`.` and `..`) or in a filter (a leading `!`).

use std::str::FromStr;

use uuid::Uuid;

/// The longest platform identifier, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 255;

/// A text that is not a platform identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to 255 bytes of text without control characters, blanks at its ends or a leading \
     `!`, and not `.` or `..`"
)]
pub struct InvalidId;

fn is_platform_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && !text.contains(char::is_control)
        && !text.starts_with(|c: char| c == '!' || c.is_whitespace())
        && !text.ends_with(char::is_whitespace)
        && !matches!(text, "." | "..")
}

/// The rule in the words of JSON Schema, but for the length, which counts bytes. It has no
/// lookaheads: several of the languages that clients are generated for have none.
#[cfg(feature = "openapi")]
const PLATFORM_ID_PATTERN: &str = concat!(
    r"^(?:",
    // Begins with neither a dot nor what must not stand there.
    r"[^!.\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"(?:[^\u0000-\u001f\u007f-\u009f]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?",
    // Begins with a dot and is neither `.` nor `..`.
    r"|\.[^.\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"|\.[^\u0000-\u001f\u007f-\u009f]+",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r")$",
);

/// A newtype of text that a check has accepted, and how OpenAPI describes it.
macro_rules! checked_text {
    ($(#[doc = $doc:literal])* $name:ident: $check:path, $error:ident, $schema:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
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

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let schema: utoipa::openapi::ObjectBuilder = $schema;
                schema.description(Some(concat!($($doc, "\n"),*).trim())).into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}
pub(crate) use checked_text;

#[cfg(feature = "openapi")]
fn platform_id_schema(example: &str) -> utoipa::openapi::ObjectBuilder {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_ID_BYTES))
        .pattern(Some(PLATFORM_ID_PATTERN))
        .examples([example])
}

checked_text!(
    /// Who did it: the platform's identifier of a person or of a program acting for one. At most
    /// 255 bytes of UTF-8.
    UserId: is_platform_id, InvalidId, platform_id_schema("auth0|64f1c2")
);
checked_text!(
    /// An organization (tenant) of the platform. At most 255 bytes of UTF-8.
    OrganizationId: is_platform_id, InvalidId, platform_id_schema("acme")
);
checked_text!(
    /// A workspace (compute environment); unique only inside its organization. At most 255 bytes
    /// of UTF-8.
    WorkspaceId: is_platform_id, InvalidId, platform_id_schema("ws-1")
);

/// The identity of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryId(Uuid);

/// A text that is not the identity of an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID such as 0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11")]
pub struct InvalidEntryId;

impl EntryId {
    /// The UUID.
    pub fn get(self) -> Uuid {
        self.0
    }
}

impl FromStr for EntryId {
    type Err = InvalidEntryId;
    fn from_str(text: &str) -> Result<Self, InvalidEntryId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidEntryId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 20] = [
        "a",
        "auth0|64f1",
        "google-oauth2|000000000000000000000",
        "uid=ada,ou=people,dc=example,dc=com",
        "cn=Ada Abara,ou=Eng",
        "ada/admin",
        "ada+test@example.com",
        "CORP\\ada",
        "spiffe://example.org/ns/x",
        "arn:aws:iam::000000000000:user/ada",
        "ädä@example.com",
        "AbCd+/==",
        "a!",
        "...",
        ".a",
        "a.",
        "?x#y%",
        "*",
        "研究",
        "\u{202e}👩‍🚀",
    ];
    const BAD: [&str; 16] = [
        "",
        " ",
        "a ",
        " a",
        "\ta",
        "a\n",
        "a\0b",
        "a\u{7f}b",
        "a\u{85}b",
        "\u{a0}a",
        "a\u{3000}",
        "a\u{2028}",
        "!",
        "!a",
        ".",
        "..",
    ];

    #[test]
    fn accepts_what_platforms_have_and_refuses_what_could_mislead() {
        for good in GOOD {
            assert!(good.parse::<UserId>().is_ok(), "{good:?}");
        }
        for bad in BAD {
            assert_eq!(bad.parse::<OrganizationId>(), Err(InvalidId), "{bad:?}");
        }
    }

    #[test]
    fn the_length_counts_bytes() {
        for (longest, too_long) in
            [("x".repeat(255), "x".repeat(256)), ("€".repeat(85), "€".repeat(86))]
        {
            assert!(longest.parse::<WorkspaceId>().is_ok());
            assert_eq!(too_long.parse::<WorkspaceId>(), Err(InvalidId));
        }
    }

    /// What clients check by the document is what the service checks.
    #[cfg(feature = "openapi")]
    #[test]
    fn the_pattern_says_the_same() {
        use proptest::prelude::*;

        let pattern = regex::Regex::new(PLATFORM_ID_PATTERN).unwrap();
        for (texts, fits) in [(&GOOD[..], true), (&BAD[..], false)] {
            for text in texts {
                assert_eq!(pattern.is_match(text), fits, "{text:?}");
            }
        }
        let odd = prop::sample::select(vec![
            '.', '!', ' ', 'a', '\n', '\u{85}', '\u{a0}', '\u{feff}', '\u{3000}', '/',
        ]);
        let text = prop::collection::vec(prop_oneof![odd, any::<char>()], 1..5);
        proptest!(|(text in text)| {
            let text: String = text.into_iter().collect();
            prop_assert_eq!(pattern.is_match(&text), is_platform_id(&text), "{:?}", text);
        });
    }
}
