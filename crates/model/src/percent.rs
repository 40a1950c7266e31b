//! Percent-encoding (RFC 3986), for ids where other characters have a meaning: in the segments of
//! a path, and in lists on the command line.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters, and two that mean nothing within a segment.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

/// A text that is not percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be percent-encoded UTF-8: a percent sign itself is written `%25`")]
pub struct InvalidPercentEncoding;

/// A text as one segment of a path, or as one item of a list.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The text that was encoded.
///
/// # Errors
/// [`InvalidPercentEncoding`] where a `%` has no two hexadecimal digits, or the bytes are not UTF-8.
pub fn decode(segment: &str) -> Result<String, InvalidPercentEncoding> {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !segment.split('%').skip(1).all(is_escape) {
        return Err(InvalidPercentEncoding);
    }
    let text = percent_decode_str(segment).decode_utf8().map_err(|_| InvalidPercentEncoding)?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_keep_clear_of_what_paths_mean() {
        assert_eq!(encode("a:b@c-d_e.f~g"), "a:b@c-d_e.f~g");
        assert_eq!(encode("cn=Ada,ou=Eng"), "cn%3DAda%2Cou%3DEng");
        assert_eq!(encode("a/b\\c %?#|ä"), "a%2Fb%5Cc%20%25%3F%23%7C%C3%A4");
    }

    #[test]
    fn what_is_not_encoded_is_not_guessed_at() {
        assert_eq!(decode("a+b%2fc"), Ok("a+b/c".to_owned()));
        assert_eq!(decode("ä%C3%A4"), Ok("ää".to_owned()));
        for bad in ["%", "a%", "a%2", "%zz", "%2%35", "%ff", "%C3", "%+1"] {
            assert_eq!(decode(bad), Err(InvalidPercentEncoding), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_text_survives(text in any::<String>()) {
            prop_assert_eq!(decode(&encode(&text)), Ok(text));
        }
    }
}
