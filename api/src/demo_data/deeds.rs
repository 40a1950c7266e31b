//! Deeds: what is done to things, and what changes by it.

use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::play::Play;
use super::thing::{Effect, Standing, Thing};
use super::things::{MOVES, PAGES, QUESTIONS, RUNTIMES, Resource};

/// What is to be done: to a certain thing, or to any.
pub(super) struct Deed<'a> {
    /// The type of what it is done to.
    pub(super) kind: &'static str,
    /// What is done.
    pub(super) action: &'static str,
    /// To which one; any of them, if missing.
    pub(super) name: Option<&'static str>,
    /// The fields that get other values; any change, if missing.
    pub(super) patch: Option<&'a Value>,
}

impl Play<'_> {
    /// Does it, and says what an entry would say; `None` where there is nothing to do it to.
    pub(super) fn enact(&mut self, deed: &Deed) -> Option<Effect> {
        if let Some((asked, question)) = self.question(deed) {
            return Some(Effect { question, ..Effect::on(asked, Value::Null, Value::Null) });
        }
        if deed.action == "Create" {
            return self.create(deed);
        }
        let index = self.pick(deed)?;
        let thing = &mut self.things[index];
        let mut effect = Effect::of(thing, Value::Null, Value::Null);
        let (old, new) = match deed.action {
            "Fetch" | "Status" => return Some(effect),
            "Download" => {
                let files = ["results.parquet", "logs.tar.gz", "notebook.ipynb"];
                effect.identifier = format!("{}/{}", thing.name(), files.choose(&mut self.deeds)?);
                return Some(effect);
            }
            "Response" => {
                let accepted = deed.name.is_some() || self.deeds.random_bool(0.8);
                effect.identifier = format!("Invitation to {}", thing.name());
                (json!("pending"), json!(if accepted { "accepted" } else { "declined" }))
            }
            "Update" => {
                let changes = table(self.resources, deed.kind).changes.as_array()?;
                let patch = deed.patch.or_else(|| changes.choose(&mut self.deeds))?;
                thing.change(patch)?
            }
            "Upgrade" => {
                let current = RUNTIMES.iter().position(|name| thing.body["runtime"] == *name)?;
                thing.change(&json!({"runtime": RUNTIMES.get(current + 1)?}))?
            }
            "Delete" | "Terminate" => {
                thing.standing = Standing::Gone;
                let says =
                    if self.deeds.random_bool(0.5) { json!("confirmed") } else { Value::Null };
                (thing.body.clone(), says)
            }
            action => {
                let (.., status) = MOVES.iter().find(|(name, ..)| *name == action)?;
                let old = std::mem::replace(&mut thing.body["status"], json!(status));
                match action {
                    "Deploy" => (
                        Value::Null,
                        json!({"status": status, "runtime": thing.body["runtime"],
                            "size": thing.body["size"]}),
                    ),
                    _ => (old, json!(status)),
                }
            }
        };
        Some(Effect { old, new, ..effect })
    }

    /// What a reading asks for that is not about a thing kept here.
    fn question(&mut self, deed: &Deed) -> Option<(String, Value)> {
        let asked: &[&str] = match (deed.kind, deed.action) {
            ("ActivityLogs", "FetchAll") => {
                let (asked, question) = QUESTIONS.choose(&mut self.deeds)?;
                return Some(((*asked).to_owned(), serde_json::from_str(question).ok()?));
            }
            (_, "FetchAll") => &PAGES,
            ("ActivityLogs", _) => {
                let millis = u64::try_from(self.clock.as_micros() / 1_000).unwrap_or_default();
                let random = self.deeds.random();
                let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
                return Some(("entry".to_owned(), json!({"id": id})));
            }
            ("Invoices", _) => return Some((self.invoice_number(), Value::Null)),
            _ => return None,
        };
        asked.choose(&mut self.deeds).map(|asked| ((*asked).to_owned(), Value::Null))
    }

    fn create(&mut self, deed: &Deed) -> Option<Effect> {
        let there: Vec<&str> = self.of_kind(deed.kind).map(|(_, thing)| thing.name()).collect();
        let mut free = table(self.resources, deed.kind).names.clone();
        free.retain(|name| !there.contains(name));
        let (name, standing) = match deed.name {
            Some(name) => (name, Standing::Starring),
            None => (*free.choose(&mut self.deeds)?, Standing::Ordinary),
        };
        let thing = self.add(deed.kind, name, standing);
        thing.change(deed.patch.unwrap_or(&Value::Null));
        Some(Effect::of(thing, Value::Null, thing.body.clone()))
    }

    /// What there is of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (usize, &Thing)> {
        let there = move |thing: &Thing| thing.kind == kind && thing.standing != Standing::Gone;
        self.things.iter().enumerate().filter(move |(_, thing)| there(thing))
    }

    /// Something that the deed can be done to.
    fn pick(&mut self, deed: &Deed) -> Option<usize> {
        // An invitation is one to a workspace.
        let kind = if deed.kind == "Invitations" { "Workspace" } else { deed.kind };
        let touches = !matches!(deed.action, "Fetch" | "Status" | "Download" | "Response");
        let from =
            MOVES.iter().find(|(action, ..)| *action == deed.action).map(|(_, from, _)| from);
        let fits = |thing: &Thing| {
            let status = thing.body["status"].as_str().unwrap_or_default();
            from.is_none_or(|from| from.contains(&status))
                && match (deed.name, deed.action) {
                    (Some(name), _) => thing.name() == name,
                    (None, "Delete" | "Terminate") => thing.standing == Standing::Ordinary,
                    (None, _) => !(touches && thing.standing == Standing::Starring),
                }
        };
        let fitting: Vec<_> =
            self.of_kind(kind).filter(|(_, thing)| fits(thing)).map(|(index, _)| index).collect();
        fitting.choose(&mut self.deeds).copied()
    }
}

/// The row of the table for this kind.
pub(super) fn table<'a>(resources: &'a [Resource], kind: &str) -> &'a Resource {
    resources.iter().find(|resource| resource.kind == kind).expect("all kinds are in the table")
}
