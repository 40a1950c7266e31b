//! Names of positions for those outside: opaque, and nobody else can make one.
//!
//! A position would tell every reader how much is recorded on the whole platform. Its name is one
//! block of AES-256 over a tag, the position and zeros: without the key it tells nothing, and a
//! block that was not made here deciphers to the tag and zeros only once in 2^64 tries
//! (encode-then-encipher: Bellare and Rogaway, 2000). The key lies in the database, so every node
//! names alike, for ever.

use activity_logs_model::AsOf;
use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Error;

/// Tells these names from others that may be made with the same key.
const TAG: u8 = b'p';

/// Names positions and reads the names.
pub(crate) struct Positions {
    cipher: Aes256,
}

impl Positions {
    /// With the key of the database.
    ///
    /// # Errors
    /// When it is not a key of 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Result<Self, Error> {
        let cipher = Aes256::new_from_slice(key).map_err(|error| {
            let error = format!("the key of the log: {error}");
            Error::Database(sqlx::Error::Decode(error.into()))
        })?;
        Ok(Self { cipher })
    }

    /// The name of a position.
    pub(crate) fn name(&self, position: i64) -> AsOf {
        let mut block = [0; 16];
        block[0] = TAG;
        block[1..9].copy_from_slice(&position.to_be_bytes());
        let mut block = Array::from(block);
        self.cipher.encrypt_block(&mut block);
        let text = URL_SAFE_NO_PAD.encode(block);
        AsOf::try_from(text).expect("sixteen bytes are 22 characters of base64url")
    }

    /// The position that has this name.
    pub(crate) fn read(&self, name: &AsOf) -> Option<i64> {
        let bytes = URL_SAFE_NO_PAD.decode(name.as_str()).ok()?;
        let mut block = Array::from(<[u8; 16]>::try_from(bytes).ok()?);
        self.cipher.decrypt_block(&mut block);
        let (tag, rest) = block.split_first()?;
        let (position, zeros) = rest.split_first_chunk::<8>()?;
        let is_ours = *tag == TAG && zeros.iter().all(|byte| *byte == 0);
        is_ours.then(|| i64::from_be_bytes(*position)).filter(|position| *position >= 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_by_the_same_key_alone() {
        let here = Positions::new(&[7; 32]).unwrap();
        let there = Positions::new(&[8; 32]).unwrap();
        for position in [0, 1, 65_536, 90_210, i64::MAX] {
            let name = here.name(position);
            assert_eq!(here.read(&name), Some(position));
            assert_eq!(name, here.name(position), "the same for ever");
            assert_eq!(there.read(&name), None);
        }
        assert!(Positions::new(&[7; 31]).is_err());
    }

    #[test]
    fn a_name_that_was_altered_is_not_one() {
        let here = Positions::new(&[7; 32]).unwrap();
        let name = here.name(42).to_string();
        for at in 0..name.len() {
            let mut altered = name.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered: AsOf = String::from_utf8(altered).unwrap().parse().unwrap();
            assert_eq!(here.read(&altered), None, "{altered}");
        }
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let here = Positions::new(&[7; 32]).unwrap();
        let (a, b) = (here.name(1).to_string(), here.name(2).to_string());
        let same = a.bytes().zip(b.bytes()).filter(|(a, b)| a == b).count();
        assert!(same < 8, "{a} {b}");
    }
}
