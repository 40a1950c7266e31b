//! Reading the fields of objects one by one, so that all that is wrong is found at once and said
//! in the words of the format.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::entry::check_text;
use crate::json::{self, JsonText, Raw};
use crate::problem::{FieldError, MAX_ERRORS};

/// Names of unknown fields are repeated up to this length, in bytes.
const LONGEST_NAME: usize = 128;

/// Where something stands in what was sent; written out only where it is wrong.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    Root,
    Field(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl<'p> Place<'p> {
    pub(super) fn field(&'p self, name: &'p str) -> Self {
        Place::Field(self, name)
    }
}

/// As a JSON Pointer (RFC 6901).
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Field(within, name) => write!(f, "{within}/{}", json::escape(name)),
            Place::Item(within, index) => write!(f, "{within}/{index}"),
        }
    }
}

/// What is wrong, as far as an answer lists it.
#[derive(Default)]
pub(super) struct Errors(Vec<FieldError>);

impl Errors {
    pub(super) fn add(&mut self, place: &Place<'_>, detail: impl ToString) {
        if !self.is_full() {
            self.0.push(FieldError::new(place.to_string(), detail));
        }
    }

    /// Adds what is wrong within a place.
    fn add_within(&mut self, place: &Place<'_>, faults: Vec<FieldError>) {
        let left = MAX_ERRORS - self.count();
        self.0.extend(
            faults
                .into_iter()
                .take(left)
                .map(|fault| FieldError::new(format!("{place}{}", fault.pointer), fault.detail)),
        );
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_ERRORS
    }

    pub(super) fn into_result<T>(self, read: Option<T>) -> Result<T, Vec<FieldError>> {
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            _ => Err(self.0),
        }
    }
}

/// What kind of object is read: how it is called, and the fields it may have.
pub(super) struct Form {
    /// With its article.
    pub(super) name: &'static str,
    /// What to send.
    pub(super) hint: &'static str,
    pub(super) fields: &'static [&'static str],
}

/// The fields of an object, each found once.
pub(super) struct Fields<'a, 'c> {
    form: &'static Form,
    place: &'c Place<'c>,
    found: Vec<Option<Raw<'a>>>,
    errors: &'c mut Errors,
}

impl<'a, 'c> Fields<'a, 'c> {
    /// Opens an object; fields it must not have and fields it has twice are errors.
    pub(super) fn open(
        raw: Raw<'a>,
        form: &'static Form,
        place: &'c Place<'c>,
        errors: &'c mut Errors,
    ) -> Option<Self> {
        let Some(members) = raw.members() else {
            errors.add(place, format!("must be {}", form.hint));
            return None;
        };
        let mut fields = Self { form, place, found: vec![None; form.fields.len()], errors };
        for (key, value) in members {
            match text(key) {
                Ok(name) => fields.find(&name, value),
                Err(why) => fields.errors.add(place, format!("a field's name {why}")),
            }
        }
        Some(fields)
    }

    fn find(&mut self, name: &str, value: Raw<'a>) {
        match self.form.fields.iter().position(|field| *field == name) {
            None if self.errors.is_full() => {}
            None if name.len() > LONGEST_NAME => {
                let detail = format!("has a field that {} does not have", self.form.name);
                self.errors.add(self.place, detail);
            }
            None => self.refuse(name, format!("is not a field of {}", self.form.name)),
            Some(index) if self.found[index].is_some() => self.refuse(name, "is given twice"),
            Some(index) => self.found[index] = Some(value),
        }
    }

    /// A field that was sent and is not null.
    pub(super) fn take(&mut self, name: &str) -> Option<Raw<'a>> {
        self.sent(name).filter(|raw| !raw.is_null())
    }

    fn sent(&mut self, name: &str) -> Option<Raw<'a>> {
        let index = self.form.fields.iter().position(|field| *field == name)?;
        self.found.get(index).copied().flatten()
    }

    /// Reads a field that may be missing or null.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Raw<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let raw = self.take(name)?;
        self.checked(name, read(raw))
    }

    /// Reads a field that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Raw<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let raw = self.needed(name)?;
        self.checked(name, read(raw))
    }

    /// Reads an object that may be missing or null.
    pub(super) fn object<T>(&mut self, name: &str, read: ReadObject<T>) -> Option<T> {
        let raw = self.take(name)?;
        read(raw, &self.place.field(name), self.errors)
    }

    /// Reads an object that must be there.
    pub(super) fn required_object<T>(&mut self, name: &str, read: ReadObject<T>) -> Option<T> {
        let raw = self.needed(name)?;
        read(raw, &self.place.field(name), self.errors)
    }

    /// Reads any JSON.
    pub(super) fn value(&mut self, name: &str) -> Option<JsonText> {
        let raw = self.take(name)?;
        match JsonText::read(raw) {
            Ok(value) => value,
            Err(json::InvalidJson(faults)) => {
                self.errors.add_within(&self.place.field(name), faults);
                None
            }
        }
    }

    /// Says what is wrong with a field.
    pub(super) fn refuse(&mut self, name: &str, detail: impl ToString) {
        self.errors.add(&self.place.field(name), detail);
    }

    /// A field that must be there.
    pub(super) fn needed(&mut self, name: &str) -> Option<Raw<'a>> {
        let raw = self.sent(name);
        if raw.is_none() {
            self.refuse(name, "is missing");
        }
        raw
    }

    fn checked<T>(&mut self, name: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.refuse(name, why)).ok()
    }
}

type ReadObject<T> = fn(Raw<'_>, &Place<'_>, &mut Errors) -> Option<T>;

/// Reads a text.
pub(super) fn text(raw: Raw<'_>) -> Result<Cow<'_, str>, String> {
    raw.string()?.ok_or_else(|| "must be a text".to_owned())
}

/// Reads a text of a length in characters.
pub(super) fn sized(raw: Raw<'_>, least: usize, most: usize) -> Result<String, String> {
    let text = text(raw)?;
    check_text(&text, least, most)?;
    Ok(text.into_owned())
}

/// Reads a text that parses into its type.
pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(raw: Raw<'_>) -> Result<T, String> {
    text(raw)?.parse().map_err(|why: T::Err| why.to_string())
}
