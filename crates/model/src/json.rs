//! Values as canonical JSON text.
//!
//! The text is the canonical form of RFC 8785 (JSON Canonicalization Scheme), so the bytes
//! that are stored, compared and shown are the same whoever sent them. What that form
//! can't keep, or readers could understand in two ways, is refused instead of altered:
//! duplicate keys, integers that a double can't hold (RFC 7493, I-JSON), and U+0000.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The longest value, in bytes of canonical text.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// A JSON document as canonical text; never `null`, which stands for "no value".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonText(Box<str>);

/// Why a text is no acceptable value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
    /// It is no JSON, or breaks a rule of this module; says which.
    #[error("{0}")]
    Refused(String),
    /// Its canonical text is longer than [`MAX_VALUE_BYTES`]; holds its size in bytes.
    #[error("must be at most 65536 bytes of canonical JSON (RFC 8785), is {0}")]
    TooLarge(usize),
}

impl JsonText {
    /// Reads any JSON text; `null` gives `None`.
    ///
    /// # Errors
    /// [`InvalidJson`] when the text breaks a rule of this module or is too large.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidJson> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Strict
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|error| InvalidJson::Refused(describe(&error)))?;
        Self::from_value(&value)
    }

    /// The canonical text of a value built in code; `null` gives `None`.
    ///
    /// # Errors
    /// [`InvalidJson`] when it is too large or can't be written canonically.
    pub fn from_value(value: &Value) -> Result<Option<Self>, InvalidJson> {
        if value.is_null() {
            return Ok(None);
        }
        let text = serde_json_canonicalizer::to_string(value)
            .map_err(|error| InvalidJson::Refused(error.to_string()))?;
        if text.len() > MAX_VALUE_BYTES {
            return Err(InvalidJson::TooLarge(text.len()));
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

/// serde_json's message without its position, which counts inside the value alone and
/// would mislead whoever reads it beside a pointer into the whole body.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Strict.deserialize(deserializer)?;
        Self::from_value(&value)
            .map_err(de::Error::custom)?
            .ok_or_else(|| de::Error::custom("null is no value"))
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
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::SchemaType::AnyValue)
            .description(Some(
                "Any JSON value, at most 64 KiB of canonical text (RFC 8785). Duplicate keys, \
                 U+0000 and integers that a double can't hold exactly are refused.",
            ))
            .examples([serde_json::json!({"plan": "Premium"}), serde_json::json!("Premium")])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for JsonText {}

/// Reads a [`Value`], refusing what this module refuses.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn without_nul<E: de::Error>(text: String) -> Result<String, E> {
    if text.contains('\0') {
        return Err(E::custom("text must not contain U+0000"));
    }
    Ok(text)
}

fn exact_integer<E: de::Error>(integer: i128) -> Result<(), E> {
    // The cast back differs exactly when a double can't hold the integer.
    if integer as f64 as i128 == integer {
        return Ok(());
    }
    Err(E::custom(format_args!(
        "the integer {integer} can't be kept exactly as a JSON number (RFC 7493): send it as a string"
    )))
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        exact_integer(value.into())?;
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        exact_integer(value.into())?;
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        without_nul(text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let key = without_nul::<A::Error>(key)?;
            let value = members.next_value_seed(Strict)?;
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} occurs twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

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
            canonical("[1.0, 1e21, 0.000001, 1e-7, -0.0, 333333333.33333329]"),
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
        assert!(refusal("{\"a\":1,\"a\":2}").contains("occurs twice"));
        assert!(refusal("9007199254740993").contains("send it as a string"));
        assert!(refusal("\"a\\u0000b\"").contains("U+0000"));
        assert!(refusal("{\"a\\u0000b\":1}").contains("U+0000"));
        assert!(refusal("\"\\ud800\"").contains("hex escape"));
        assert!(refusal("\"\\ud800\\u0041\"").contains("surrogate"));
        assert!(refusal("1e400").contains("out of range"));
        assert!(refusal(&("[".repeat(200) + &"]".repeat(200))).contains("recursion limit"));
        assert_eq!(canonical("9007199254740992"), "9007199254740992");
    }

    #[test]
    fn the_size_limit_counts_canonical_bytes() {
        let fits = format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES - 2));
        assert_eq!(canonical(&fits).len(), MAX_VALUE_BYTES);
        let over = format!("\"{}\"", "x".repeat(MAX_VALUE_BYTES - 1));
        assert_eq!(JsonText::parse(&over), Err(InvalidJson::TooLarge(MAX_VALUE_BYTES + 1)));
    }
}
