//! What is wrong with text that is not JSON, for people who wrote it by hand.

use std::fmt;

use crate::json::Raw;

/// Text that is not JSON: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub why: String,
}

/// A text without the byte order mark that some programs put before it.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Takes bytes for JSON; a byte order mark before it is skipped.
pub(super) fn read(bytes: &[u8]) -> Result<Raw<'_>, SyntaxError> {
    let bytes = without_mark(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = good.rsplit('\n').next().unwrap_or_default();
        SyntaxError {
            line: good.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            why: "this is not UTF-8; send the body in that encoding".to_owned(),
        }
    })?;
    // What lacks its end lacks it behind its last character.
    let text = text.trim_end_matches([' ', '\t', '\r', '\n']);
    Raw::parse(text).map_err(|error| {
        let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        // The parser counts bytes; somebody who looks for the place counts characters.
        let before = line.as_bytes().get(..error.column()).unwrap_or(line.as_bytes());
        let column = String::from_utf8_lossy(before).chars().count();
        SyntaxError { line: error.line(), column, why: describe(&error, text).to_string() }
    })
}

fn describe(error: &serde_json::Error, text: &str) -> impl fmt::Display {
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let hint = match said {
        _ if text.trim().is_empty() => "there is nothing here; send a JSON object",
        _ if error.is_eof() => "the text ends too early: a `\"`, `}` or `]` is missing",
        "trailing comma" => "a comma must not stand before `}` or `]`",
        "trailing characters" => "nothing may follow the end of the JSON text",
        "key must be a string" => {
            "expected a field's name in double quotes; a comma must not stand before `}`"
        }
        "expected value" => {
            "expected a value: a text in double quotes, a number, a list, an object, true, false or null"
        }
        "invalid escape" => "this is no escape of JSON; a `\\` in a text is written `\\\\`",
        "invalid number" => "this is not how JSON writes a number",
        said if said.starts_with("control character") => {
            "a line break or tab in a text is written `\\n` or `\\t`, another control character `\\u00…`"
        }
        said => said,
    };
    hint.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_and_a_hint_are_said() {
        for (text, line, column, says) in [
            ("", 1, 0, "nothing here"),
            (" \n ", 1, 0, "nothing here"),
            ("{\"a\":\n", 1, 5, "ends too early"),
            ("{\"entries\": [", 1, 13, "ends too early"),
            ("{\"a\": 1,\n \"ä\": 2,}", 2, 9, "a comma must not stand before"),
            ("[1, ]", 1, 5, "expected a value"),
            ("{\"a\": 1}\n{\"a\": 1}", 2, 1, "nothing may follow"),
            ("{'a': 1}", 1, 2, "double quotes"),
            ("{\"a\": None}", 1, 7, "expected a value"),
            ("{\"a\": \"b\nc\"}", 1, 8, "a line break"),
            ("{\"a\": \"C:\\dir\"}", 1, 11, "`\\` in a text is written `\\\\`"),
            ("{\"a\": 01}", 1, 8, "a number"),
            ("{\"a\" 1}", 1, 6, "expected `:`"),
            ("{\"a\": 1 \"b\": 2}", 1, 9, "expected `,` or `}`"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.why.contains(says), "{text}: {error}");
            assert!(!error.why.contains("at line"), "{error}");
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
        }
        let error = read(b"{\"a\":\n \"\xc3\xa4\xff\"}").unwrap_err();
        assert_eq!((error.line, error.column), (2, 4), "{error}");
        assert!(error.why.contains("UTF-8"));
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(read(b"\xef\xbb\xbf {\"a\":1}").unwrap().text(), "{\"a\":1}");
        assert!(read(b" \xef\xbb\xbf{}").is_err(), "elsewhere it is none");
    }
}
