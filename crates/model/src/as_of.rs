//! The opaque names of positions: what `as_of` is outside of the service.

use crate::id::checked_text;

/// How many characters an `as_of` has: sixteen bytes as unpadded base64url (RFC 4648, section 5).
const LENGTH: usize = 22;

/// A text that is not an `as_of`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be the as_of of an answer of this service")]
pub struct InvalidAsOf;

fn is_as_of(text: &str) -> bool {
    text.len() == LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

checked_text!(
    /// Names the moment up to which a listing looks. Valid for ever and on every node; it tells
    /// nothing but the listing that it pins. Only the service that made it can read it.
    AsOf: is_as_of, InvalidAsOf, as_of_schema()
);

#[cfg(feature = "openapi")]
fn as_of_schema() -> utoipa::openapi::ObjectBuilder {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .pattern(Some("^[A-Za-z0-9_-]{22}$"))
        .examples(["kq3mTz0cT4mJxk9vL1bq2w"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_of_its_form_are_taken() {
        assert!("kq3mTz0cT4mJxk9vL1bq2w".parse::<AsOf>().is_ok());
        for wrong in
            ["", "7", "kq3mTz0cT4mJxk9vL1bq2", "kq3mTz0cT4mJxk9vL1bq2wA", "kq3mTz0cT4mJxk9vL1bq2="]
        {
            assert_eq!(wrong.parse::<AsOf>(), Err(InvalidAsOf), "{wrong}");
        }
    }
}
