//! Text that is JSON already: nothing here has to look for errors of syntax.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The text of one JSON value, without blanks around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// Takes text for JSON.
    ///
    /// # Errors
    /// What breaks the syntax.
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str::<&RawValue>(text).map(|raw| Self(raw.get()))
    }

    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The text that a string holds; none where this is not a string.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(crate) fn string(self) -> Result<Option<Cow<'a, str>>, &'static str> {
        let Some(inner) = self.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Ok(None);
        };
        if !inner.contains('\\') {
            return Ok(Some(Cow::Borrowed(inner)));
        }
        let text: String = serde_json::from_str(self.0).map_err(
            |_| "has half of a character: a \\u escape of a surrogate without its other half",
        )?;
        if text.contains('\0') {
            return Err("must not contain U+0000");
        }
        Ok(Some(Cow::Owned(text)))
    }

    /// The keys and values of an object; none where this is not an object.
    pub(crate) fn members(self) -> Option<impl Iterator<Item = (Raw<'a>, Raw<'a>)>> {
        let mut cursor = Cursor::within(self, b'{')?;
        Some(std::iter::from_fn(move || {
            let key = (cursor.peek() == b'"').then(|| cursor.string())?;
            cursor.pass(b':');
            let value = cursor.value();
            cursor.pass(b',');
            Some((key, value))
        }))
    }

    /// The items of a list; none where this is not a list.
    pub(crate) fn items(self) -> Option<impl Iterator<Item = Raw<'a>>> {
        let mut cursor = Cursor::within(self, b'[')?;
        Some(std::iter::from_fn(move || {
            let item = (!matches!(cursor.peek(), b']' | END)).then(|| cursor.value())?;
            cursor.pass(b',');
            Some(item)
        }))
    }
}

/// Stands for the end of the text.
pub(super) const END: u8 = 0;

/// A place in the text of a value.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(raw: Raw<'a>) -> Self {
        Self { text: raw.0, at: 0 }
    }

    /// Behind the bracket with which an object or a list begins.
    fn within(raw: Raw<'a>, bracket: u8) -> Option<Self> {
        let mut cursor = Self::new(raw);
        cursor.pass(bracket).then_some(cursor)
    }

    /// The next byte that is not blank.
    pub(super) fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(END)
    }

    /// Goes beyond this byte, if it is the next.
    pub(super) fn pass(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte && byte != END;
        self.at += usize::from(is_next);
        is_next
    }

    /// Goes beyond the string that begins here.
    pub(super) fn string(&mut self) -> Raw<'a> {
        let (bytes, start) = (self.text.as_bytes(), self.at);
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.since(start)
    }

    /// Goes beyond the next value.
    pub(super) fn value(&mut self) -> Raw<'a> {
        self.peek();
        let (bytes, start) = (self.text.as_bytes(), self.at);
        let mut depth = 0_usize;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => drop(self.string()),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => break,
                // A number or a word, or what stands between the parts of an object or a list.
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.since(start)
    }

    fn since(&mut self, start: usize) -> Raw<'a> {
        self.at = self.at.min(self.text.len());
        Raw(&self.text[start..self.at])
    }
}
