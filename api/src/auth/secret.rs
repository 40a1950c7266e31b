//! Secrets, and the files they are kept in.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// The shortest secret, in bytes: the size of HS256's output (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;
/// No secret is longer; a device that never ends is not one.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// A secret that signs and checks tokens. It can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::str::FromStr for Secret {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = without_line_break(text);
        if text.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "the secret must have at least {MIN_SECRET_BYTES} bytes (for example from: openssl rand -hex 32)"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The text without the one line break that editors and shells leave at its end.
pub(crate) fn without_line_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

/// Reads a file that holds nothing but a secret. A byte order mark and one line break at the end
/// do not belong to it.
///
/// # Errors
/// When the file can't be read, is empty, is not text, or is too long to be a secret.
pub(crate) fn read_secret_file(path: &Path) -> anyhow::Result<String> {
    let read = || -> anyhow::Result<String> {
        let file = File::open(path)?;
        warn_if_others_read(&file, path);
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            bail!("it is longer than {MAX_FILE_BYTES} bytes");
        }
        let text = String::from_utf8(bytes).ok().context("it is not UTF-8 text")?;
        let text = without_line_break(text.strip_prefix('\u{feff}').unwrap_or(&text));
        if text.is_empty() {
            bail!("it is empty");
        }
        Ok(text.to_owned())
    };
    read().with_context(|| format!("reading {}", path.display()))
}

#[cfg(unix)]
fn warn_if_others_read(file: &File, path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let others_read = |metadata: std::fs::Metadata| {
        metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
    };
    if file.metadata().is_ok_and(others_read) {
        tracing::warn!(
            path = %path.display(),
            "every user of this machine may read this file, which holds a secret; chmod o-r takes that right away"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_others_read(_: &File, _: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_and_stays_secret() {
        assert!("short".parse::<Secret>().is_err());
        let secret: Secret = "x".repeat(32).parse().unwrap();
        assert!(!format!("{secret:?}").contains('x'));
        assert!(format!("{}\n", "x".repeat(31)).parse::<Secret>().is_err(), "a line break is none");
    }

    #[test]
    fn one_line_break_at_the_end_and_a_byte_order_mark_are_not_the_secret() {
        let secret = "s".repeat(32);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let mark = "\u{feff}";
        for (written, read) in [
            (secret.clone(), secret.clone()),
            (format!("{secret}\n"), secret.clone()),
            (format!("{secret}\r\n"), secret.clone()),
            (format!("{mark}{secret}\n"), secret.clone()),
            (format!("{secret}\n\n"), format!("{secret}\n")),
            (format!("{secret} "), format!("{secret} ")),
        ] {
            std::fs::write(&path, &written).unwrap();
            assert_eq!(read_secret_file(&path).unwrap(), read, "{written:?}");
        }
        for bad in [&b""[..], b"\n", "\u{feff}\n".as_bytes(), b"\xff\xfe", &[b'x'; 70_000]] {
            std::fs::write(&path, bad).unwrap();
            assert!(read_secret_file(&path).is_err());
        }
        assert!(read_secret_file(Path::new("/dev/zero")).is_err(), "a device that never ends");
    }
}
