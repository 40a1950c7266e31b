//! Which numbers can be kept: those that come out as they went in.

/// How much of a number an error shows.
const SHOWN: usize = 40;

/// Reads a number as a double (RFC 7493), if the shortest text that reads back as that double has
/// the same decimal value: that text is what is stored and shown.
///
/// # Errors
/// What is wrong with it, for people.
pub(super) fn read(literal: &str) -> Result<f64, String> {
    let shown = || match literal.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &literal[..end]),
        None => literal.to_owned(),
    };
    let double: f64 = literal.parse().map_err(|_| "is not a number".to_owned())?;
    if !double.is_finite() {
        return Err(format!("the number {} is too large: send it as a text", shown()));
    }
    let is_small_integer = literal.len() <= 15 && literal.bytes().all(|b| b.is_ascii_digit());
    if is_small_integer {
        return Ok(double);
    }
    // Where two shortest texts are equally near, this is the one that will be stored.
    let kept = serde_json_canonicalizer::to_string(&double).map_err(|why| why.to_string())?;
    if Decimal::of(literal) == Decimal::of(&kept) {
        return Ok(double);
    }
    Err(format!("the number {} would be kept as {kept}: send it as a text", shown()))
}

/// The exact value of a decimal literal: its digits without zeros at either end, and the power of
/// ten of the last.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn of(literal: &str) -> Self {
        let magnitude = literal.trim_start_matches('-');
        let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Self { is_negative: false, digits: String::new(), exponent: 0 };
        }
        // An exponent beyond this is none of a double's, whatever the digits.
        let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        let scale = digits.len() as i64 - significant.len() as i64 - fraction.len() as i64;
        Self {
            is_negative: literal.starts_with('-'),
            digits: significant.to_owned(),
            exponent: exponent.parse().unwrap_or(beyond).saturating_add(scale),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The value in plain digits, 800 before the point and 800 behind it, made by moving the point
    /// and in no other way; `None` where that is not enough.
    fn plain(literal: &str) -> Option<String> {
        let (sign, magnitude) = match literal.strip_prefix('-') {
            Some(magnitude) => ("-", magnitude),
            None => ("", literal),
        };
        let lower = magnitude.to_lowercase();
        let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i64 = exponent.parse().ok()?;
        let mut digits = vec![b'0'; 1600];
        for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
            let place = 800 - whole.len() as i64 - exponent + index as i64;
            match usize::try_from(place).ok().and_then(|place| digits.get_mut(place)) {
                Some(slot) => *slot = digit,
                None if digit == b'0' => {}
                None => return None,
            }
        }
        let is_zero = digits.iter().all(|digit| *digit == b'0');
        let digits = String::from_utf8(digits).ok()?;
        Some(format!("{}{digits}", if is_zero { "" } else { sign }))
    }

    #[test]
    fn what_comes_out_as_it_went_in_is_taken() {
        for taken in [
            "0",
            "-0",
            "0.0",
            "0e999",
            "0.1",
            "1.50",
            "1e3",
            "1E+3",
            "100000000000000000000",
            "1e21",
            "9007199254740992",
            "9007199254740994",
            "123456789012345.6",
            "1391752606790209.2",
            "1.7976931348623157e308",
            "5e-324",
            "0.000001",
            "-12.5e-2",
            "1000000000000000000000000",
            "3.0000000000000000000",
        ] {
            assert!(read(taken).is_ok(), "{taken}");
        }
        for (altered, kept) in [
            ("9007199254740993", "9007199254740992"),
            ("1234567890123456789012", "1.2345678901234568e+21"),
            ("1234567890123456789013", "1.2345678901234568e+21"),
            ("18446744073709551617", "18446744073709552000"),
            ("-9223372036854775809", "-9223372036854776000"),
            ("12345678901234567.89", "12345678901234568"),
            ("12345678901234567.90", "12345678901234568"),
            ("0.1000000000000000055511151231257827", "0.1"),
            ("1e-400", "0"),
            ("1e-99999999999999999999", "0"),
        ] {
            let refused = read(altered).unwrap_err();
            let says = format!("would be kept as {kept}: send it as a text");
            assert!(refused.ends_with(&says), "{altered}: {refused}");
        }
        for beyond in ["1e309", "-1e400", "1e99999999999999999999"] {
            assert!(read(beyond).unwrap_err().contains("too large"), "{beyond}");
        }
        assert!(read(&"9".repeat(300)).unwrap_err().len() < 120, "a long number is not repeated");
    }

    proptest! {
        #[test]
        fn what_is_taken_reads_back_as_the_same_decimal_value(
            literal in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?"
        ) {
            let double: f64 = literal.parse().unwrap();
            let kept = serde_json_canonicalizer::to_string(&double).unwrap_or_default();
            let is_same = double.is_finite() && plain(&literal) == plain(&kept) && plain(&kept).is_some();
            match read(&literal) {
                Ok(taken) => {
                    prop_assert!(is_same, "{literal} is kept as {kept}");
                    prop_assert_eq!(taken, double);
                }
                Err(why) => prop_assert!(!is_same, "{literal}: {why}"),
            }
        }

        #[test]
        fn what_programs_write_is_taken(double in any::<f64>(), single in any::<f32>(), integer in any::<i32>()) {
            let written = serde_json::to_string(&double).unwrap();
            for text in [written, format!("{single}"), format!("{single:e}"), integer.to_string()] {
                let is_finite = text.parse::<f64>().is_ok_and(f64::is_finite);
                prop_assert_eq!(read(&text).is_ok(), is_finite, "{}", text);
            }
        }
    }
}
