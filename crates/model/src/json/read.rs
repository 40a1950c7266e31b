//! Reading a value from text that is JSON already: what is refused in it is found with its place,
//! all of it at once.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::raw::{Cursor, END, Raw};
use super::{MAX_VALUE_BYTES, number, too_large};
use crate::problem::{FieldError, MAX_ERRORS};

/// The longest text of a value that is looked at: blanks and escapes are not counted later, but
/// have to be read.
const MAX_RAW_BYTES: usize = 8 * MAX_VALUE_BYTES;
/// How deep lists and objects may be nested: what readers such as serde_json take.
const MAX_DEPTH: usize = 127;
/// Behind a pointer of this length, in bytes, no further fault is looked for.
const LONG_POINTER: usize = 1024;

/// Reads a value.
///
/// # Errors
/// What is wrong, with pointers into the value.
pub(super) fn read(raw: Raw<'_>) -> Result<Value, Vec<FieldError>> {
    if raw.text().len() > MAX_RAW_BYTES {
        return Err(vec![too_large()]);
    }
    let mut reader =
        Reader { cursor: Cursor::new(raw), path: Vec::new(), least: 0, faults: Vec::new() };
    match reader.value() {
        Ok(value) if reader.faults.is_empty() => Ok(value),
        Ok(_) | Err(Enough) => Err(reader.faults),
    }
}

/// Nothing more is read: the rest would not change the answer.
struct Enough;

enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    path: Vec<Step<'a>>,
    /// How long the canonical text is at least.
    least: usize,
    faults: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Value, Enough> {
        match self.cursor.peek() {
            b'{' => self.object(),
            b'[' => self.list(),
            b'"' => Ok(self.string()?.map_or(Value::Null, |text| Value::String(text.into_owned()))),
            _ => self.scalar(),
        }
    }

    fn object(&mut self) -> Result<Value, Enough> {
        let mut members = Map::new();
        self.enter(b'{')?;
        while self.cursor.peek() == b'"' {
            let key = self.string()?;
            self.cursor.pass(b':');
            self.path.push(Step::Key(key.clone().unwrap_or_default()));
            let value = self.value()?;
            if let Some(key) = key
                && members.insert(key.into_owned(), value).is_some()
            {
                self.refuse("is given twice")?;
            }
            self.path.pop();
            self.cursor.pass(b',');
        }
        self.cursor.pass(b'}');
        Ok(Value::Object(members))
    }

    fn list(&mut self) -> Result<Value, Enough> {
        let mut items = Vec::new();
        self.enter(b'[')?;
        while !matches!(self.cursor.peek(), b']' | END) {
            self.path.push(Step::Index(items.len()));
            items.push(self.value()?);
            self.path.pop();
            self.cursor.pass(b',');
        }
        self.cursor.pass(b']');
        Ok(Value::Array(items))
    }

    fn enter(&mut self, bracket: u8) -> Result<(), Enough> {
        if self.path.len() >= MAX_DEPTH {
            self.path.clear();
            self.refuse(format!("must not be nested deeper than {MAX_DEPTH} levels"))?;
            return Err(Enough);
        }
        self.cursor.pass(bracket);
        self.count(2)
    }

    /// The next string; none where it is refused.
    fn string(&mut self) -> Result<Option<Cow<'a, str>>, Enough> {
        match self.cursor.string().string() {
            Ok(text) => {
                self.count(text.as_ref().map_or(0, |text| text.len() + 2))?;
                Ok(text)
            }
            Err(why) => self.refuse(why).map(|()| None),
        }
    }

    fn scalar(&mut self) -> Result<Value, Enough> {
        self.count(1)?;
        match self.cursor.value().text() {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            literal => match number::read(literal) {
                Ok(double) => Ok(double.into()),
                Err(why) => self.refuse(why).map(|()| Value::Null),
            },
        }
    }

    fn count(&mut self, bytes: usize) -> Result<(), Enough> {
        self.least += bytes;
        if self.least <= MAX_VALUE_BYTES {
            return Ok(());
        }
        self.faults = vec![too_large()];
        Err(Enough)
    }

    fn refuse(&mut self, why: impl ToString) -> Result<(), Enough> {
        let pointer = self.pointer();
        // An answer must not grow far beyond what was sent.
        let is_long = pointer.len() > LONG_POINTER;
        self.faults.push(FieldError::new(pointer, why));
        if self.faults.len() < MAX_ERRORS && !is_long { Ok(()) } else { Err(Enough) }
    }

    fn pointer(&self) -> String {
        let segment = |step: &Step<'_>| match step {
            Step::Key(key) => format!("/{}", escape(key)),
            Step::Index(index) => format!("/{index}"),
        };
        self.path.iter().map(segment).collect()
    }
}

/// A key as a segment of a JSON Pointer (RFC 6901).
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
