//! A thing that is kept, with its state, and what an entry says of a deed.

use activity_logs_model::WorkspaceRef;
use serde_json::{Map, Value};

use super::text;
use super::things::PLAIN_FIELDS;

/// A thing that is kept; its body has a `name`.
#[derive(Clone)]
pub(super) struct Thing {
    /// Its type in the catalog.
    pub(super) kind: &'static str,
    /// Its number among all of its kind that ever were.
    pub(super) number: usize,
    /// What may become of it.
    pub(super) standing: Standing,
    /// Its whole state.
    pub(super) body: Value,
}

/// What may become of a thing.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Standing {
    /// Anything.
    Ordinary,
    /// Restrictions, grants and claims point at it, so it stays.
    Founding,
    /// A story is told of it, which nobody else may disturb.
    Starring,
    /// It was removed; kept here so that its number isn't given out again.
    Gone,
}

impl Thing {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.body["name"].as_str().unwrap_or_default()
    }

    /// The workspace that an entry about it belongs to.
    pub(super) fn workspace(&self) -> Option<WorkspaceRef> {
        let id = || text(&format!("ws-{}", self.number));
        (self.kind == "Workspace").then(|| WorkspaceRef { id: id(), name: self.name().to_owned() })
    }

    /// Sets the fields of `patch` and returns those that changed, before and after.
    pub(super) fn change(&mut self, patch: &Value) -> Option<(Value, Value)> {
        let (mut old, mut new) = (Map::new(), Map::new());
        for (field, value) in patch.as_object()? {
            if self.body[field] != *value {
                new.insert(field.clone(), value.clone());
                old.insert(field.clone(), std::mem::replace(&mut self.body[field], value.clone()));
            }
        }
        let only = new.keys().next()?;
        if new.len() == 1 && PLAIN_FIELDS.contains(&only.as_str()) {
            return Some((old[only].clone(), new[only].clone()));
        }
        Some((old.into(), new.into()))
    }
}

/// What an entry says of a deed.
pub(super) struct Effect {
    /// Where in the organization.
    pub(super) workspace: Option<WorkspaceRef>,
    /// What it was done to.
    pub(super) identifier: String,
    /// The state before.
    pub(super) old: Value,
    /// The state after.
    pub(super) new: Value,
    /// What a reading of the log asked for.
    pub(super) question: Value,
}

impl Effect {
    /// A deed outside of all workspaces.
    pub(super) fn on(identifier: impl Into<String>, old: Value, new: Value) -> Self {
        Self { workspace: None, identifier: identifier.into(), old, new, question: Value::Null }
    }

    /// A deed done to `thing`.
    pub(super) fn of(thing: &Thing, old: Value, new: Value) -> Self {
        Self { workspace: thing.workspace(), ..Self::on(thing.name(), old, new) }
    }
}
