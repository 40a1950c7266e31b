//! Reading a key set: which of its keys check tokens, with which algorithms, and why the others
//! do not.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

/// RFC 7518, section 3.3.
const MIN_RSA_BITS: usize = 2_048;
/// The largest that the library computes with.
const MAX_RSA_BITS: usize = 4_096;
/// How much of a key's id is told.
const MAX_TOLD_CHARS: usize = 64;

/// A key that checks tokens.
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The algorithms that it is for.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// What a key set holds.
pub(super) struct Keys {
    pub(super) usable: Vec<Key>,
    /// The keys that check no tokens: the id of each and why.
    pub(super) left_out: Vec<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// Reads a key set (RFC 7517). Keys that can't be used are left out, however many that are.
///
/// # Errors
/// When the text is not a key set.
pub(super) fn read(text: &str) -> anyhow::Result<Keys> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let set: Set = serde_json::from_str(text)
        .ok()
        .filter(|_| text.trim_start().starts_with('{'))
        .context("it is not a JWKS (RFC 7517), an object with a list of `keys`")?;
    let mut keys = Keys { usable: Vec::new(), left_out: Vec::new() };
    for jwk in &set.keys {
        let id = jwk.get("kid").and_then(Value::as_str);
        match usable(jwk) {
            Ok((algorithms, key)) => {
                keys.usable.push(Key { id: id.map(str::to_owned), algorithms, key });
            }
            Err(why) => keys.left_out.push(match id {
                Some(id) => {
                    let told: String = id.chars().take(MAX_TOLD_CHARS).collect();
                    format!("key {told:?}: {why}")
                }
                None => format!("a key without an id: {why}"),
            }),
        }
    }
    Ok(keys)
}

/// The keys that a token with this key id may have been signed with. Without one, the only key
/// there is.
pub(super) fn named<'a>(keys: &'a [Key], id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
    let only = keys.len() == 1;
    keys.iter().filter(move |key| id.map_or(only, |id| key.id.as_deref() == Some(id)))
}

fn usable(jwk: &Value) -> Result<(Vec<Algorithm>, DecodingKey), &'static str> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let part = |name: &str| text(name).ok_or("a part of it is missing");
    if jwk.get("use").is_some_and(|used| used != "sig") {
        return Err("its `use` is not `sig`");
    }
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|all| all.iter().any(|o| o == "verify"))
    };
    if jwk.get("key_ops").is_some_and(|operations| !verifies(operations)) {
        return Err("its `key_ops` do not include `verify`");
    }
    let (possible, key) = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => (RSA, rsa(part("n")?, part("e")?)?),
        (Some("EC"), Some("P-256")) => (&[Algorithm::ES256][..], ec(part("x")?, part("y")?)?),
        (Some("EC"), Some("P-384")) => (&[Algorithm::ES384][..], ec(part("x")?, part("y")?)?),
        (Some("EC"), Some("P-521")) => return Err("the algorithm ES512 is not supported"),
        (Some("OKP"), Some("Ed25519")) => (&[Algorithm::EdDSA][..], ed(part("x")?)?),
        (Some("oct"), _) => return Err("a shared secret does not belong into a key set"),
        _ => return Err("keys of its kind are not supported"),
    };
    let algorithms = match (jwk.get("alg"), possible) {
        (None, possible) if std::ptr::eq(possible, RSA) => RSA_UNNAMED.to_vec(),
        (None, possible) => possible.to_vec(),
        (Some(named), possible) => {
            let named = named.as_str().and_then(|named| named.parse().ok());
            vec![
                named
                    .filter(|named| possible.contains(named))
                    .ok_or("its `alg` does not fit it")?,
            ]
        }
    };
    // The library looks at the numbers only when it computes with them.
    crypto::verify("", b"", &key, algorithms[0]).map_err(|_| MALFORMED)?;
    Ok((algorithms, key))
}

const MALFORMED: &str = "its numbers are not those of a key";

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// What an RSA key is for that does not say so: SHA-256, with either padding.
const RSA_UNNAMED: &[Algorithm] = &[Algorithm::RS256, Algorithm::PS256];

fn rsa(n: &str, e: &str) -> Result<DecodingKey, &'static str> {
    let (modulus, exponent) = (number(n)?, number(e)?);
    let bits = bits(&modulus);
    if bits < MIN_RSA_BITS {
        return Err("RSA keys must have at least 2048 bits");
    }
    if bits > MAX_RSA_BITS {
        return Err("RSA keys of more than 4096 bits are not supported");
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    if !is_odd(&modulus) || !is_odd(&exponent) || self::bits(&exponent) < 2 {
        return Err(MALFORMED);
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - first
}

fn ec(x: &str, y: &str) -> Result<DecodingKey, &'static str> {
    DecodingKey::from_ec_components(x, y).map_err(|_| MALFORMED)
}

fn ed(x: &str) -> Result<DecodingKey, &'static str> {
    // The library panics at other lengths (RFC 8037, section 2).
    if number(x)?.len() != 32 {
        return Err(MALFORMED);
    }
    DecodingKey::from_ed_components(x).map_err(|_| MALFORMED)
}

fn number(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| MALFORMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_first_that_is_set() {
        for (number, expected) in
            [(&[][..], 0), (&[0][..], 0), (&[0, 1][..], 1), (&[3][..], 2), (&[0x80, 0][..], 16)]
        {
            assert_eq!(bits(number), expected, "{number:?}");
        }
    }

    #[test]
    fn keys_that_check_nothing_are_left_out_by_id_and_reason() {
        let ed = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let rsa = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        let set = serde_json::json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": ed},
            {"kty": "OKP", "crv": "Ed25519", "kid": "good-operations", "x": ed, "key_ops": ["sign", "verify"]},
            {"kty": "OKP", "crv": "Ed25519", "kid": "enc", "x": ed, "use": "enc"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "null", "x": ed, "use": null},
            {"kty": "OKP", "crv": "Ed25519", "kid": "encrypt", "x": ed, "key_ops": ["encrypt"]},
            {"kty": "OKP", "crv": "Ed25519", "kid": "nothing", "x": ed, "key_ops": []},
            {"kty": "OKP", "crv": "Ed25519", "kid": "other", "x": ed, "alg": "ES256"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "number", "x": ed, "alg": 7},
            {"kty": "OKP", "crv": "Ed25519", "kid": "short", "x": "AA"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "long", "x": rsa(33)},
            {"kty": "EC", "crv": "P-384", "kid": "long", "x": rsa(49), "y": rsa(48)},
            {"kty": "EC", "crv": "P-256", "kid": "empty", "x": "", "y": ""},
            {"kty": "OKP", "crv": "X25519", "kid": "agreement", "x": ed},
            {"kty": "EC", "crv": "P-521", "kid": "es512", "x": ed, "y": ed},
            {"kty": "EC", "crv": "P-256", "kid": "point", "x": ed, "y": ed},
            {"kty": "EC", "crv": "P-256", "kid": "half", "x": ed},
            {"kty": "RSA", "kid": "small", "n": rsa(255), "e": "AQAB"},
            {"kty": "RSA", "kid": "large", "n": rsa(513), "e": "AQAB"},
            {"kty": "RSA", "kid": "one", "n": rsa(256), "e": "AQ"},
            {"kty": "RSA", "kid": "unnamed", "n": rsa(256), "e": "AQAB"},
            {"kty": "RSA", "kid": "named", "n": rsa(256), "e": "AQAB", "alg": "PS512"},
            {"kty": "RSA", "kid": "oaep", "n": rsa(256), "e": "AQAB", "alg": "RSA-OAEP"},
            {"kty": "RSA", "kid": "hmac", "n": rsa(256), "e": "AQAB", "alg": "HS256"},
            {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
            {"kid": "x".repeat(100)},
            "no object",
        ]});
        // A byte order mark is skipped.
        let keys = read(&format!("\u{feff}{set}")).unwrap();
        let usable: Vec<_> = keys
            .usable
            .iter()
            .map(|key| (key.id.as_deref().unwrap(), &key.algorithms[..]))
            .collect();
        use Algorithm::{EdDSA, PS256, PS512, RS256};
        let expected: [(&str, &[Algorithm]); 4] = [
            ("good", &[EdDSA]),
            ("good-operations", &[EdDSA]),
            ("unnamed", &[RS256, PS256]),
            ("named", &[PS512]),
        ];
        assert_eq!(usable, expected);
        assert_eq!(keys.left_out.len(), 22, "{:?}", keys.left_out);
        for said in [
            "key \"enc\": its `use` is not `sig`",
            "key \"nothing\": its `key_ops` do not include `verify`",
            "key \"es512\": the algorithm ES512 is not supported",
            "key \"point\": its numbers are not those of a key",
            "key \"small\": RSA keys must have at least 2048 bits",
            "a key without an id: a shared secret does not belong into a key set",
        ] {
            assert!(keys.left_out.iter().any(|line| line == said), "{said}: {:?}", keys.left_out);
        }
        assert!(keys.left_out.iter().all(|line| line.chars().count() < 160));
    }

    #[test]
    fn what_is_not_a_key_set_is_not_an_empty_one() {
        assert!(read(r#"{"keys":[]}"#).unwrap().usable.is_empty());
        for bad in ["", "null", "[]", "[[]]", "{}", r#"{"keys":{}}"#, "<html>", r#"{"keys":null}"#]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
