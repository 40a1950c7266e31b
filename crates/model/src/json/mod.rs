//! Values as canonical JSON text.
//!
//! The text is the canonical form of RFC 8785 (JSON Canonicalization Scheme), so the bytes
//! that are stored, compared and shown are the same whoever sent them. What that form
//! can't keep, or readers could understand in two ways, is refused instead of altered:
//! duplicate keys, numbers that come out as other ones, halves of characters, and U+0000.

mod number;
mod raw;
mod read;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::problem::FieldError;
pub(crate) use raw::Raw;
pub(crate) use read::escape;

/// The longest value, in bytes of canonical text.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// A JSON document as canonical text; never `null`, which stands for "no value".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonText(Box<str>);

/// Why a text is not an acceptable value: what is wrong, with pointers into the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.in_words())]
pub struct InvalidJson(pub Vec<FieldError>);

impl InvalidJson {
    fn of_all(why: impl ToString) -> Self {
        Self(vec![FieldError::new("", why)])
    }

    fn in_words(&self) -> String {
        let words = |fault: &FieldError| format!("{} {}", fault.pointer, fault.detail);
        self.0.iter().map(words).collect::<Vec<_>>().join("; ").trim().to_owned()
    }
}

fn too_large() -> FieldError {
    let detail = format!("must be at most {MAX_VALUE_BYTES} bytes of canonical JSON (RFC 8785)");
    FieldError::new("", detail)
}

impl JsonText {
    /// Reads any JSON text; `null` gives `None`.
    ///
    /// # Errors
    /// [`InvalidJson`] when the text breaks a rule of this module or is too large.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidJson> {
        let raw = Raw::parse(text)
            .map_err(|error| InvalidJson::of_all(format_args!("is not JSON: {error}")))?;
        Self::read(raw)
    }

    /// Reads what is JSON already.
    ///
    /// # Errors
    /// [`InvalidJson`] when it breaks a rule of this module or is too large.
    pub(crate) fn read(raw: Raw<'_>) -> Result<Option<Self>, InvalidJson> {
        Self::from_value(&read::read(raw).map_err(InvalidJson)?)
    }

    /// The canonical text of a value built in code; `null` gives `None`.
    ///
    /// # Errors
    /// [`InvalidJson`] when it is too large or can't be written canonically.
    pub fn from_value(value: &Value) -> Result<Option<Self>, InvalidJson> {
        if value.is_null() {
            return Ok(None);
        }
        let text = serde_json_canonicalizer::to_string(value).map_err(InvalidJson::of_all)?;
        if text.len() > MAX_VALUE_BYTES {
            return Err(InvalidJson(vec![too_large()]));
        }
        Ok(Some(Self(text.into())))
    }

    /// Takes text that an earlier [`JsonText`] gave out, unchecked: what a database returns.
    pub fn from_stored(text: String) -> Self {
        Self(text.into())
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// Reads a value that a service has written, and so is canonical: browsers need not carry what
/// makes it so.
pub(crate) fn read_written<'de, D>(deserializer: D) -> Result<Option<JsonText>, D::Error>
where
    D: Deserializer<'de>,
{
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw.map(|raw| JsonText(Box::<str>::from(raw))))
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for JsonText {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::extensions::Extensions;
        use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaType, Type};

        utoipa::openapi::ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([
                Type::Object,
                Type::Array,
                Type::String,
                Type::Number,
                Type::Boolean,
                Type::Null,
            ]))
            // What is in an object or an array may be anything too; generators ask for it in words.
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
            .extensions(Some(Extensions::from_iter([("items", serde_json::json!({}))])))
            .description(Some(
                "Any JSON value, at most 64 KiB of canonical text (RFC 8785). Refused are \
                 duplicate keys, U+0000, and numbers that a double does not keep: whose decimal \
                 value is not that of the shortest text of the nearest double.",
            ))
            .examples([serde_json::json!({"plan": "Premium"}), serde_json::json!("Premium")])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for JsonText {}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        JsonText::parse(text).unwrap().unwrap().as_str().to_owned()
    }

    fn refusal(text: &str) -> String {
        JsonText::parse(text).unwrap_err().to_string()
    }

    /// The examples of RFC 8785, section 3.2.3 (sorting by UTF-16) and appendix B (numbers).
    #[test]
    fn writes_the_canonical_form() {
        assert_eq!(
            canonical(
                "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}"
            ),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
        assert_eq!(
            canonical("[1.0, 1e21, 0.000001, 1e-7, -0.0, 333333333.3333333]"),
            "[1,1e+21,0.000001,1e-7,0,333333333.3333333]"
        );
        assert_eq!(canonical(" \"a\\/b\\u000f\" "), "\"a/b\\u000f\"");
    }

    #[test]
    fn null_is_no_value() {
        assert_eq!(JsonText::parse("null"), Ok(None));
    }

    #[test]
    fn refuses_what_would_be_altered_or_lost() {
        for (text, pointer, says) in [
            ("{\"a\":1,\"a\":2}", "/a", "is given twice"),
            ("{\"a\":1,\"\\u0061\":2}", "/a", "is given twice"),
            ("{\"a\":[1,{\"b/~\":9007199254740993}]}", "/a/1/b~1~0", "send it as a text"),
            ("\"a\\u0000b\"", "", "U+0000"),
            ("{\"a\\u0000b\":1}", "", "U+0000"),
            ("[\"\\ud800\"]", "/0", "half of a character"),
            ("\"\\ud800\\u0041\"", "", "half of a character"),
            ("{\"\\udc00\":1}", "", "half of a character"),
            ("{\"a\": 1e400}", "/a", "too large"),
            ("[1,", "", "is not JSON"),
        ] {
            let InvalidJson(faults) = JsonText::parse(text).unwrap_err();
            assert_eq!(faults.len(), 1, "{text}");
            assert_eq!(faults[0].pointer, pointer, "{text}");
            assert!(faults[0].detail.contains(says), "{text}: {faults:?}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(refusal(&nested(128)).contains("nested deeper than 127"));
        assert_eq!(canonical(&nested(127)), nested(127));
    }

    #[test]
    fn all_that_is_refused_is_found_at_once() {
        let text = " { \"a\" : [ 1e999 , true , null ] , \"b\" : { \"c\" : \"\\ud83d\" , \"c\" : 0.10 } , \"d\" : false } ";
        let InvalidJson(faults) = JsonText::parse(text).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a/0", "/b/c", "/b/c"]);
        let InvalidJson(faults) =
            JsonText::parse(&format!("[{}1]", "1e999,".repeat(60))).unwrap_err();
        assert_eq!(faults.len(), 50);
    }

    /// What is wrong in it is not found: nobody has looked.
    #[test]
    fn a_huge_value_is_refused_before_it_is_read() {
        let keys = (0..300_000).map(|key| format!("\"{key}\":1,")).collect::<String>();
        let blanks = " ".repeat(9 * MAX_VALUE_BYTES);
        for huge in [format!("{{{keys}\"x\":1e999}}"), format!("[1e999,{blanks}1e999]")] {
            let InvalidJson(faults) = JsonText::parse(&huge).unwrap_err();
            assert_eq!(faults, [too_large()]);
        }
        let escaped = format!("\"{}\"", "\\u0061".repeat(MAX_VALUE_BYTES - 2));
        assert_eq!(canonical(&escaped).len(), MAX_VALUE_BYTES, "escapes are not counted");
    }

    #[test]
    fn the_size_limit_counts_canonical_bytes() {
        let fits = format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES - 2));
        assert_eq!(canonical(&fits).len(), MAX_VALUE_BYTES);
        let over = format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES - 1));
        assert_eq!(JsonText::parse(&over), Err(InvalidJson(vec![too_large()])));
        // Written longer than it was sent, so only the canonical text tells.
        let sent = format!("[{}1]", "1e20,".repeat(20_000));
        assert!(sent.len() < 2 * MAX_VALUE_BYTES && refusal(&sent).contains("65536 bytes"));
    }

    proptest::proptest! {
        /// Beside numbers, the reader takes what serde_json takes, and sees the same in it.
        #[test]
        fn what_is_read_is_what_was_sent(value in any_value()) {
            let compact = value.to_string();
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let expected = JsonText::from_value(&value).unwrap();
            proptest::prop_assert_eq!(JsonText::parse(&compact).unwrap(), expected.clone());
            proptest::prop_assert_eq!(JsonText::parse(&pretty).unwrap(), expected);
        }
    }

    fn any_value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;

        let text = prop::collection::vec(any::<char>().prop_filter("U+0000", |c| *c != '\0'), 0..6)
            .prop_map(String::from_iter);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
