//! What the cells and the panel show of an entry's values.

use std::collections::{BTreeMap, BTreeSet};

use activity_logs_model::JsonText;
use serde_json::value::RawValue;

/// How the old and the new value of an entry differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// There is neither an old nor a new value.
    None,
    /// One text for each value that there is.
    Simple {
        /// The old value.
        before: Option<String>,
        /// The new value.
        after: Option<String>,
    },
    /// Field by field; at least one.
    Fields(Vec<FieldChange>),
}

/// How one field differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldChange {
    /// The path of the field, as in `address.city`; occurs once in a change. A key that
    /// wouldn't read well or clearly in it stands in quotes.
    pub(crate) name: String,
    /// Its old value; `None` when it wasn't there.
    pub(crate) before: Option<String>,
    /// Its new value; `None` when it is gone.
    pub(crate) after: Option<String>,
}

/// The members of an object, each value as its own canonical text.
type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Compares the values of an entry.
///
/// Objects are compared field by field, without those that stayed the same; a lone object
/// gives all its fields. Anything else is shown whole: strings without their quotes, the
/// rest as canonical JSON.
pub(crate) fn change(old: Option<&JsonText>, new: Option<&JsonText>) -> Change {
    let (old, new) = (old.map(JsonText::as_str), new.map(JsonText::as_str));
    if old.is_none() && new.is_none() {
        return Change::None;
    }
    let mut fields = Vec::new();
    if let Some((old, new)) = both_members(old, new) {
        compare("", &old, &new, &mut fields);
    }
    if fields.is_empty() {
        let (before, after) = texts(old, new);
        return Change::Simple { before, after };
    }
    Change::Fields(fields)
}

/// A value on one line of at most so many characters; what is cut off shows as "…".
pub(crate) fn short(value: &JsonText, max_chars: usize) -> String {
    let text = match change(None, Some(value)) {
        Change::None => String::new(),
        Change::Simple { after, .. } => after.unwrap_or_default(),
        Change::Fields(fields) => {
            let field =
                |field: FieldChange| format!("{}: {}", field.name, field.after.unwrap_or_default());
            fields.into_iter().map(field).collect::<Vec<_>>().join(", ")
        }
    };
    cut(&one_line(&text), max_chars)
}

/// A text in which characters that would change how it reads can be seen themselves: an override of
/// the writing direction makes `exe.png` of `gnp.exe`.
pub(crate) fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => seen.push(character),
            c if is_invisible(c) => seen.push_str(&format!("‹U+{:04X}›", u32::from(c))),
            c => seen.push(c),
        }
    }
    seen
}

/// JSON with the same characters as escapes, which is the same JSON.
pub(crate) fn visible_json(json: &str) -> String {
    let mut seen = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' => seen.push(character),
            c if is_invisible(c) => seen.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => seen.push(c),
        }
    }
    seen
}

/// Controls, and the marks, embeddings, overrides and isolates of writing direction (UAX #9).
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Adds the fields that differ between two objects at a path.
fn compare(path: &str, old: &Members, new: &Members, fields: &mut Vec<FieldChange>) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let name = name(path, key);
        let (old, new) = (old.get(key).map(|raw| raw.get()), new.get(key).map(|raw| raw.get()));
        // Canonical texts are the same exactly when the values are.
        if old == new {
            continue;
        }
        match both_members(old, new) {
            Some((old, new)) if !(old.is_empty() && new.is_empty()) => {
                compare(&name, &old, &new, fields);
            }
            _ => {
                let (before, after) = texts(old, new);
                fields.push(FieldChange { name, before, after });
            }
        }
    }
}

/// The members of the values when each that there is is an object; a missing one has none.
fn both_members<'a>(
    old: Option<&'a str>,
    new: Option<&'a str>,
) -> Option<(Members<'a>, Members<'a>)> {
    let members = |json: Option<&'a str>| match json {
        None => Some(Members::new()),
        Some(json) if json.starts_with('{') => serde_json::from_str(json).ok(),
        Some(_) => None,
    };
    Some((members(old)?, members(new)?))
}

/// The path of a member. Keys that would make two paths look the same are quoted.
fn name(path: &str, key: &str) -> String {
    let clear = !key.contains(['.', '"']) && key.trim() == key && !key.is_empty();
    let key = if clear { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// What people read for an old and a new value; with quotes where `true` became `"true"`,
/// which would look like no change.
fn texts(old: Option<&str>, new: Option<&str>) -> (Option<String>, Option<String>) {
    let (before, after) = (old.map(plain), new.map(plain));
    if before == after && old != new {
        return (old.map(str::to_owned), new.map(str::to_owned));
    }
    (before, after)
}

/// A string without its quotes, unless there would be nothing to see; other JSON as it is.
fn plain(json: &str) -> String {
    match serde_json::from_str::<String>(json) {
        Ok(text) if !text.trim().is_empty() => text,
        _ => json.to_owned(),
    }
}

/// The text with each run of white space and control characters as one space.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The text in at most so many characters, its end replaced by "…" when it is longer.
fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().nth(max_chars).is_none() {
        return text.to_owned();
    }
    let Some(kept) = max_chars.checked_sub(1) else { return String::new() };
    let kept: String = text.chars().take(kept).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<JsonText> {
        JsonText::parse(text).unwrap()
    }

    /// The change between two JSON texts, `null` for none.
    fn of(old: &str, new: &str) -> Change {
        change(json(old).as_ref(), json(new).as_ref())
    }

    fn simple(before: Option<&str>, after: Option<&str>) -> Change {
        Change::Simple { before: before.map(str::to_owned), after: after.map(str::to_owned) }
    }

    fn fields(fields: &[(&str, Option<&str>, Option<&str>)]) -> Change {
        let field = |(name, before, after): &(&str, Option<&str>, Option<&str>)| FieldChange {
            name: (*name).to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        Change::Fields(fields.iter().map(field).collect())
    }

    #[test]
    fn scalars_are_shown_plainly() {
        assert_eq!(of("null", "null"), Change::None);
        assert_eq!(
            of("\"Premium\"", "\"Enterprise\""),
            simple(Some("Premium"), Some("Enterprise"))
        );
        assert_eq!(of("1", "true"), simple(Some("1"), Some("true")));
        assert_eq!(of("null", "0.000001"), simple(None, Some("0.000001")));
        assert_eq!(of("1e21", "null"), simple(Some("1e+21"), None));
        assert_eq!(of("\"a \\\"b\\\"\"", "\"ü\\n\""), simple(Some("a \"b\""), Some("ü\n")));
    }

    #[test]
    fn what_would_look_the_same_or_empty_keeps_its_quotes() {
        assert_eq!(of("true", "\"true\""), simple(Some("true"), Some("\"true\"")));
        assert_eq!(of("\"\"", "\" \""), simple(Some("\"\""), Some("\" \"")));
        assert_eq!(
            of("{\"a\":null}", "{\"a\":\"null\"}"),
            fields(&[("a", Some("null"), Some("\"null\""))])
        );
    }

    #[test]
    fn objects_are_compared_field_by_field() {
        assert_eq!(
            of(
                r#"{"plan":"Standard","seats":5,"same":[1, 2],"at":{"city":"Bonn","zip":"1"}}"#,
                r#"{"plan":"Premium","same":[1,2],"at":{"city":"Köln","zip":"1","x":{"y":[1, {"z":2}]}}}"#
            ),
            fields(&[
                ("at.city", Some("Bonn"), Some("Köln")),
                ("at.x.y", None, Some(r#"[1,{"z":2}]"#)),
                ("plan", Some("Standard"), Some("Premium")),
                ("seats", Some("5"), None),
            ])
        );
        assert_eq!(
            of("null", r#"{"a":{"b":true},"c":"d","e":{},"n":null}"#),
            fields(&[
                ("a.b", None, Some("true")),
                ("c", None, Some("d")),
                ("e", None, Some("{}")),
                ("n", None, Some("null")),
            ])
        );
        assert_eq!(of(r#"{"a":{}}"#, r#"{"a":{"b":1}}"#), fields(&[("a.b", None, Some("1"))]));
    }

    #[test]
    fn mixed_kinds_are_shown_whole() {
        assert_eq!(of("\"a\"", "{\"b\": 1}"), simple(Some("a"), Some("{\"b\":1}")));
        assert_eq!(of("[1, 2]", "[2]"), simple(Some("[1,2]"), Some("[2]")));
        assert_eq!(
            of(r#"{"a":1}"#, r#"{"a":{"b":1}}"#),
            fields(&[("a", Some("1"), Some(r#"{"b":1}"#))])
        );
    }

    #[test]
    fn a_value_never_vanishes() {
        assert_eq!(of("null", "{}"), simple(None, Some("{}")));
        assert_eq!(of("{\"a\":1}", "{\"a\":1}"), simple(Some("{\"a\":1}"), Some("{\"a\":1}")));
        let broken = JsonText::from_stored("{\"a\":".to_owned());
        assert_eq!(change(None, Some(&broken)), simple(None, Some("{\"a\":")));
    }

    #[test]
    fn names_occur_once() {
        assert_eq!(
            of("null", r#"{"a.b":1,"a":{"b":2},"":3,"\"a.b\"":4}"#),
            fields(&[
                ("\"\"", None, Some("3")),
                ("\"\\\"a.b\\\"\"", None, Some("4")),
                ("a.b", None, Some("2")),
                ("\"a.b\"", None, Some("1")),
            ])
        );
    }

    #[test]
    fn deep_and_large_values_are_read() {
        let deep = format!("{}1{}", "{\"a\":".repeat(120), "}".repeat(120));
        let name = ["a"; 120].join(".");
        assert_eq!(of("null", &deep), fields(&[(&name, None, Some("1"))]));
        let long = format!("\"{}\"", "ä".repeat(30_000));
        assert_eq!(short(&json(&long).unwrap(), 80).chars().count(), 80);
    }

    #[test]
    fn what_turns_the_writing_direction_is_seen() {
        assert_eq!(visible("\u{202e}gnp.exe\u{1}"), "‹U+202E›gnp.exe‹U+0001›");
        assert_eq!(visible("אורי\n👩\u{200d}👧"), "אורי\n👩\u{200d}👧");
        assert_eq!(visible_json("\"\u{202e}gnp\""), "\"\\u202egnp\"");
    }

    #[test]
    fn a_short_value_is_one_line() {
        let short = |text, max_chars| short(&json(text).unwrap(), max_chars);
        assert_eq!(short("\"Premium\"", 7), "Premium");
        assert_eq!(short("\"Premium\"", 6), "Premi…");
        assert_eq!(short("\"a\\n\\t b\\u0007\"", 9), "a b");
        assert_eq!(short("\"äöü😀\"", 3), "äö…");
        assert_eq!(short("\"ab\"", 1), "…");
        assert_eq!(short("\"ab\"", 0), "");
        assert_eq!(
            short(r#"{"name":"Ada","at":{"zip":1},"on":true}"#, 80),
            "at.zip: 1, name: Ada, on: true"
        );
        assert_eq!(short(r#"{"name":"Ada","on":true}"#, 10), "name: Ada…");
        assert_eq!(short("[1, 2]", 80), "[1,2]");
    }
}
