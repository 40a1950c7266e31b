//! Plays one place through: its people sit down, do things to what there is, and every deed
//! becomes an entry.

use activity_logs_model::{
    Context, JsonText, NewEntry, OrganizationRef, Outcome, Person, Timestamp, WorkspaceRef,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::cast::{Actor, BILLING, CAST, Home, PLATFORM, Part, Rank};
use super::things::{
    self, IN_ORGANIZATIONS, MOVES, Milestone, ON_THE_PLATFORM, PAGES, PLAIN_FIELDS, QUESTIONS,
    RUNTIMES, Resource,
};
use super::{cast_member, text};

const SEED: u64 = 20_260_131;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// How many of the deeds that are not allowed are tried nevertheless.
const TRIED: f64 = 0.1;
const FAILING: f64 = 0.02;
const LATE: f64 = 0.01;
/// The last session starts this long ago, which leaves it time to end before now.
const LAST_SESSION_SECONDS: i64 = 15 * 60;

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

/// A thing that is kept; its body has a `name`.
#[derive(Clone)]
struct Thing {
    kind: &'static str,
    /// Its number among all of its kind that ever were.
    number: usize,
    standing: Standing,
    body: Value,
}

#[derive(Clone, Copy, PartialEq)]
enum Standing {
    Ordinary,
    /// People's restrictions and grants point at it, so it stays.
    Founding,
    /// A story is told of it, which nobody else may disturb.
    Starring,
}

impl Thing {
    fn name(&self) -> &str {
        self.body["name"].as_str().unwrap_or_default()
    }

    fn workspace(&self) -> Option<WorkspaceRef> {
        (self.kind == "Workspace").then(|| WorkspaceRef {
            id: text(&format!("ws-{}", self.number)),
            name: self.name().to_owned(),
        })
    }

    /// Sets the fields of `patch` and returns those that changed, before and after.
    fn change(&mut self, patch: &Value) -> Option<(Value, Value)> {
        let (mut old, mut new) = (Map::new(), Map::new());
        for (field, value) in patch.as_object()? {
            if self.body[field] != *value {
                new.insert(field.clone(), value.clone());
                old.insert(field.clone(), std::mem::replace(&mut self.body[field], value.clone()));
            }
        }
        match new.keys().next() {
            None => None,
            Some(field) if new.len() == 1 && PLAIN_FIELDS.contains(&field.as_str()) => {
                Some((old[field].clone(), new[field].clone()))
            }
            Some(_) => Some((old.into(), new.into())),
        }
    }
}

/// What is to be done: on a certain thing, or on any.
struct Deed<'a> {
    kind: &'static str,
    action: &'static str,
    name: Option<&'a str>,
    patch: Option<&'a Value>,
}

/// What an entry says of a deed.
struct Effect {
    workspace: Option<WorkspaceRef>,
    identifier: String,
    old: Value,
    new: Value,
}

impl Effect {
    fn read(identifier: impl Into<String>) -> Self {
        Effect {
            workspace: None,
            identifier: identifier.into(),
            old: Value::Null,
            new: Value::Null,
        }
    }

    fn of(thing: &Thing, old: Value, new: Value) -> Self {
        Effect { workspace: thing.workspace(), identifier: thing.name().to_owned(), old, new }
    }
}

/// What is due at some time.
enum Item<'a> {
    Session,
    Milestone(&'a Milestone),
    /// The invoice of the month before is generated.
    Invoice,
    Payment(Outcome, &'static str, Value),
}

/// One sitting of somebody.
struct Sitting {
    actor: &'static Actor,
    context: Context,
}

/// One place, being played through.
pub(super) struct Play<'a> {
    home: &'a Home,
    resources: &'a [Resource],
    now: Timestamp,
    things: Vec<Thing>,
    /// How many of each kind there ever were.
    counts: std::collections::BTreeMap<&'static str, usize>,
    clock: Timestamp,
    /// Draws what happens.
    deeds: StdRng,
    /// Draws when and from where; apart, because it is asked more or less often depending on
    /// the calendar.
    circumstances: StdRng,
    arrivals: Vec<(Timestamp, NewEntry)>,
}

impl<'a> Play<'a> {
    pub(super) fn new(
        index: usize,
        home: &'a Home,
        resources: &'a [Resource],
        now: Timestamp,
    ) -> Self {
        let seed = SEED + 2 * index as u64;
        let mut play = Self {
            home,
            resources,
            now,
            things: Vec::new(),
            counts: Default::default(),
            clock: now.plus_seconds(-home.days * DAY),
            deeds: StdRng::seed_from_u64(seed),
            circumstances: StdRng::seed_from_u64(seed + 1),
            arrivals: Vec::new(),
        };
        if !home.is_young() {
            play.furnish(3 * index);
        }
        play
    }

    /// Puts in place what was there before the data begins. `offset` gives the organizations
    /// workspaces of different names under the same ids.
    fn furnish(&mut self, offset: usize) {
        for resource in self.resources {
            let (first, many) = match (resource.kind, self.home.id) {
                ("Organization" | "Users", _) => (0, 0),
                ("Workspace", _) => (offset, self.home.workspaces),
                ("Plans", PLATFORM) => (0, 3),
                ("Plans", _) => (0, 0),
                ("AdminAccounts", place) if place != PLATFORM => (0, 0),
                _ => (offset % 2, 2),
            };
            for name in &resource.names[first..first + many] {
                let thing = self.add(resource.kind, name, Standing::Founding);
                if thing.kind == "Workspace" {
                    thing.body["status"] = json!("running");
                }
            }
        }
        if self.home.id != PLATFORM {
            self.add("AdminAccounts", self.home.name, Standing::Founding);
            self.add("Organization", self.home.name, Standing::Founding).body["tier"] =
                json!(self.home.tier);
            for (actor, _) in self.members() {
                let user = self.add("Users", actor.name, Standing::Founding);
                user.body["email"] = json!(actor.email);
                user.body["status"] = json!("active");
            }
        }
    }

    fn add(&mut self, kind: &'static str, name: &str, standing: Standing) -> &mut Thing {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let resource = self.resources.iter().find(|r| r.kind == kind).expect("a kind of the table");
        let body = (resource.initial)(name, *count);
        self.things.push(Thing { kind, number: *count, standing, body });
        self.things.last_mut().expect("was just pushed")
    }

    fn parts(&self) -> impl Iterator<Item = (&'static Actor, &'static Part)> + use<> {
        let place = self.home.id;
        CAST.iter().filter_map(move |actor| {
            Some((actor, actor.parts.iter().find(|part| part.place == place)?))
        })
    }

    fn members(&self) -> impl Iterator<Item = (&'static Actor, &'static Part)> + use<> {
        self.parts().filter(|(_, part)| matches!(part.rank, Rank::Member | Rank::Manager))
    }

    fn organization(&self) -> Option<OrganizationRef> {
        let thing = self.things.iter().find(|thing| thing.kind == "Organization")?;
        Some(OrganizationRef { id: text(self.home.id), name: thing.name().to_owned() })
    }

    /// Plays everything, and returns the entries with the times of their arrival.
    pub(super) fn perform(mut self) -> Vec<(Timestamp, NewEntry)> {
        let milestones = things::milestones();
        let starts = self.starts();
        if self.home.is_young() {
            self.clock = starts[0];
            self.open();
        }
        let mut agenda: Vec<(Timestamp, Item)> = self.bills();
        for milestone in milestones.iter().filter(|m| m.place == self.home.id) {
            let at = starts[milestone.percent * starts.len() / 100];
            agenda.push((at, Item::Milestone(milestone)));
        }
        agenda.extend(starts.into_iter().map(|at| (at, Item::Session)));
        agenda.sort_by_key(|(at, _)| *at);
        for (at, item) in agenda {
            self.clock = self.clock.max(at);
            match item {
                Item::Session => self.session(),
                Item::Milestone(milestone) => self.reach(milestone),
                Item::Invoice => self.invoice(),
                Item::Payment(outcome, action, new) => self.payment(outcome, action, new),
            }
        }
        self.arrivals
    }

    /// When people sit down to work: on working days and in the hours where they are, mostly.
    /// The last one has only just started, so that the demo looks alive.
    fn starts(&mut self) -> Vec<Timestamp> {
        let end = self.now.plus_seconds(-LAST_SESSION_SECONDS);
        let begin = self.now.plus_seconds(-self.home.days * DAY);
        let mut starts = vec![end];
        while starts.len() < self.home.sessions {
            let at = self.circumstances.random_range(begin.as_micros()..end.as_micros());
            let local = at / 1_000_000 + self.home.utc_offset_hours * HOUR;
            // 1970-01-01 was a Thursday, three days after a Monday.
            let weekend = (local.div_euclid(DAY) + 3).rem_euclid(7) >= 5;
            let busy = match local.rem_euclid(DAY) / HOUR {
                9..=17 => 1.0,
                7..=20 => 0.3,
                _ => 0.04,
            };
            if self.circumstances.random_bool(if weekend { busy * 0.1 } else { busy }) {
                starts.push(Timestamp::from_micros(at));
            }
        }
        starts.sort();
        starts
    }

    /// An organization comes to be: an administrator makes it and its first people.
    fn open(&mut self) {
        let sitting = self.sit_down(cast_member("user-5"));
        let name = self.home.name;
        let body = self.add("Organization", name, Standing::Founding).body.clone();
        self.write(
            &sitting,
            "Organization",
            "Create",
            Outcome::Success,
            Effect { new: body, ..Effect::read(name) },
        );
        for (actor, part) in self.members() {
            let user = self.add("Users", actor.name, Standing::Founding);
            user.body["email"] = json!(actor.email);
            user.body["role"] =
                json!(if part.rank == Rank::Manager { "manager" } else { "member" });
            let effect = Effect { new: user.body.clone(), ..Effect::read(actor.name) };
            self.write(&sitting, "Users", "Create", Outcome::Success, effect);
        }
    }

    fn session(&mut self) {
        let parts: Vec<_> = self.parts().collect();
        let (actor, part) = parts
            .choose_weighted(&mut self.deeds, |(_, part)| part.weight)
            .expect("everywhere is somebody");
        let sitting = self.sit_down(actor);
        let mut left = self.deeds.random_range(2..=7);
        // A guest or a program finds little to do at times; nobody waits for that.
        for _ in 0..200 {
            if left == 0 {
                break;
            }
            left -= usize::from(self.try_something(&sitting, part));
        }
    }

    fn sit_down(&mut self, actor: &'static Actor) -> Sitting {
        let number = CAST.iter().position(|other| other.id == actor.id).unwrap_or(CAST.len());
        let host = 10 + number;
        let (address, agent) = match (actor.email, self.circumstances.random_range(0..10)) {
            (None, _) => (format!("198.51.100.{host}"), format!("{}/2.14.1", actor.id)),
            (_, 0) => {
                (format!("2001:db8:{host}::7"), "platform-cli/1.9.2 (linux; x86_64)".to_owned())
            }
            (_, 1..=2) => (format!("203.0.113.{host}"), BROWSERS[3].to_owned()),
            _ => (format!("192.0.2.{host}"), BROWSERS[number % 3].to_owned()),
        };
        let context =
            Context { ip_address: Some(address), user_agent: Some(agent), request_id: None };
        Sitting { actor, context }
    }

    fn try_something(&mut self, sitting: &Sitting, part: &Part) -> bool {
        let habits: &[things::Habit] =
            if self.home.id == PLATFORM { &ON_THE_PLATFORM } else { &IN_ORGANIZATIONS };
        let choices: Vec<_> = habits
            .iter()
            .flat_map(|(kind, needs, actions)| actions.iter().map(|(a, w)| (*kind, *needs, *a, *w)))
            .collect();
        let (kind, needs, action, _) = *choices
            .choose_weighted(&mut self.deeds, |(_, needs, _, weight)| {
                // Administrators visit an organization to administer.
                let visits = part.rank == Rank::Administrator && *needs == Rank::Administrator;
                if visits { weight * 6 } else { *weight }
            })
            .expect("the weights are positive");
        if part.rank == Rank::Machine
            && (kind != "Workspace"
                || !matches!(action, "Status" | "Deploy" | "Suspend" | "Resume"))
        {
            return false;
        }
        let before = (self.things.clone(), self.counts.clone());
        let Some(effect) = self.enact(&Deed { kind, action, name: None, patch: None }) else {
            return false;
        };
        let allowed = permits(part, needs, effect.workspace.as_ref());
        let outcome = if !allowed {
            Outcome::Denied
        } else if self.deeds.random_bool(FAILING) {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        let organization_exists = self.organization().is_some();
        if outcome != Outcome::Success {
            (self.things, self.counts) = before;
        }
        if !allowed && !self.deeds.random_bool(TRIED) {
            return false;
        }
        debug_assert!(organization_exists || self.home.id == PLATFORM);
        let effect = undone(effect, outcome, kind, action, needs);
        self.write(sitting, kind, action, outcome, effect);
        true
    }

    fn reach(&mut self, milestone: &Milestone) {
        let sitting = self.sit_down(cast_member(milestone.actor));
        let &Milestone { kind, action, name, ref patch, .. } = milestone;
        let organization = self.organization();
        let effect = self
            .enact(&Deed { kind, action, name: Some(name), patch: Some(patch) })
            .expect("the stories are possible");
        self.write_in(organization, &sitting, kind, action, Outcome::Success, effect);
    }

    /// Does it, and says what an entry would say; `None` where there is nothing to do it to.
    fn enact(&mut self, deed: &Deed) -> Option<Effect> {
        match deed.action {
            "FetchAll" => {
                let asked: &[&str] = if deed.kind == "ActivityLogs" { &QUESTIONS } else { &PAGES };
                return Some(Effect::read(*asked.choose(&mut self.deeds)?));
            }
            "Fetch" if deed.kind == "ActivityLogs" => {
                let millis = u64::try_from(self.clock.as_micros() / 1_000).unwrap_or_default();
                let id = uuid::Builder::from_unix_timestamp_millis(millis, &self.deeds.random())
                    .into_uuid();
                return Some(Effect::read(id.to_string()));
            }
            "Fetch" if deed.kind == "Invoices" => return Some(Effect::read(self.invoice_number())),
            "Create" => return self.create(deed),
            _ => {}
        }
        let index = self.pick(deed)?;
        let thing = &mut self.things[index];
        match deed.action {
            "Fetch" | "Status" => Some(Effect::of(thing, Value::Null, Value::Null)),
            "Download" => {
                let file =
                    ["results.parquet", "logs.tar.gz", "notebook.ipynb"].choose(&mut self.deeds)?;
                let read = Effect::of(thing, Value::Null, Value::Null);
                Some(Effect { identifier: format!("{}/{file}", thing.name()), ..read })
            }
            "Update" => {
                let resource = self.resources.iter().find(|r| r.kind == deed.kind)?;
                let patch = deed.patch.or_else(|| resource.changes.choose(&mut self.deeds))?;
                let before = Effect::of(thing, Value::Null, Value::Null);
                let (old, new) = thing.change(patch)?;
                Some(Effect { old, new, ..before })
            }
            "Upgrade" => {
                let current = RUNTIMES.iter().position(|r| thing.body["runtime"] == *r)?;
                let (old, new) = thing.change(&json!({"runtime": RUNTIMES.get(current + 1)?}))?;
                Some(Effect::of(thing, old, new))
            }
            "Delete" | "Terminate" => {
                let thing = self.things.remove(index);
                let new =
                    if self.deeds.random_bool(0.5) { Value::Null } else { json!("confirmed") };
                Some(Effect::of(&thing, thing.body.clone(), new))
            }
            "Response" => {
                let accepted = deed.name.is_some() || self.deeds.random_bool(0.8);
                let answer = if accepted { "accepted" } else { "declined" };
                let effect = Effect::of(thing, json!("pending"), json!(answer));
                Some(Effect { identifier: format!("Invitation to {}", thing.name()), ..effect })
            }
            action => {
                let (.., status) = MOVES.iter().find(|(name, ..)| *name == action)?;
                let old = std::mem::replace(&mut thing.body["status"], json!(status));
                let new = match action {
                    "Deploy" => {
                        json!({"status": status, "runtime": thing.body["runtime"], "size": thing.body["size"]})
                    }
                    _ => json!(status),
                };
                let old = if action == "Deploy" { json!({"status": old}) } else { old };
                Some(Effect::of(thing, old, new))
            }
        }
    }

    fn create(&mut self, deed: &Deed) -> Option<Effect> {
        let taken =
            |name: &str| self.things.iter().any(|t| t.kind == deed.kind && t.name() == name);
        let resource = self.resources.iter().find(|r| r.kind == deed.kind)?;
        let free: Vec<_> = resource.names.iter().copied().filter(|name| !taken(name)).collect();
        let (name, standing) = match deed.name {
            Some(name) => (name, Standing::Starring),
            None => (*free.choose(&mut self.deeds)?, Standing::Ordinary),
        };
        let thing = self.add(deed.kind, name, standing);
        if let Some(patch) = deed.patch {
            thing.change(patch);
        }
        Some(Effect::of(thing, Value::Null, thing.body.clone()))
    }

    fn pick(&mut self, deed: &Deed) -> Option<usize> {
        // An invitation is one to a workspace.
        let kind = if deed.kind == "Invitations" { "Workspace" } else { deed.kind };
        let reads = matches!(deed.action, "Fetch" | "Status" | "Download" | "Response");
        let from =
            MOVES.iter().find(|(action, ..)| *action == deed.action).map(|(_, from, _)| from);
        let fits = |thing: &Thing| {
            let status = thing.body["status"].as_str().unwrap_or_default();
            thing.kind == kind
                && from.is_none_or(|from| from.contains(&status))
                && match (deed.name, deed.action) {
                    (Some(name), _) => thing.name() == name,
                    (None, "Delete" | "Terminate") => thing.standing == Standing::Ordinary,
                    (None, _) => reads || thing.standing != Standing::Starring,
                }
        };
        let fitting: Vec<usize> =
            (0..self.things.len()).filter(|i| fits(&self.things[*i])).collect();
        fitting.choose(&mut self.deeds).copied()
    }

    /// The invoices and payments on the first of each month.
    fn bills(&self) -> Vec<(Timestamp, Item<'a>)> {
        let mut bills = Vec::new();
        if self.home.id == PLATFORM {
            return bills;
        }
        let today = self.now.as_micros() / 1_000_000 / DAY;
        let midnights = (today - self.home.days + 1..=today)
            .map(|day| Timestamp::EPOCH.plus_seconds(day * DAY));
        for midnight in midnights.filter(|midnight| midnight.to_string()[..10].ends_with("-01")) {
            let method = self.home.pays_by;
            let pending = json!({"status": "pending", "method": method});
            let mut due = |hours, item| bills.push((midnight.plus_seconds(hours * HOUR), item));
            due(2, Item::Invoice);
            due(3, Item::Payment(Outcome::Success, "Create", pending));
            if method.starts_with("card") {
                let declined = json!({"error": things::mishap("Payments", "Update")});
                due(30, Item::Payment(Outcome::Failure, "Update", declined));
            }
            due(75, Item::Payment(Outcome::Success, "Update", json!("settled")));
        }
        // What is still ahead, or was before the organization, stays away.
        bills.retain(|(at, _)| (self.clock..self.now.plus_seconds(-HOUR)).contains(at));
        bills
    }

    fn invoice_number(&self) -> String {
        let month = &self.clock.to_string()[..7];
        format!("INV-{month}-{}", self.home.id.to_uppercase())
    }

    /// What the workspaces of today cost in a month, in cents, with the tax.
    fn invoice_lines(&self) -> (Vec<Value>, u64, u64) {
        let (mut lines, mut subtotal) = (Vec::new(), 0);
        for thing in self.things.iter().filter(|thing| thing.kind == "Workspace") {
            let hours = 720 * thing.body["size"].as_u64().unwrap_or(1);
            let cents = if thing.body["gpu"].is_null() { 18 } else { 240 };
            subtotal += hours * cents;
            lines.push(json!({"item": thing.name(), "node_hours": hours,
                "unit_price": euros(cents), "amount": euros(hours * cents)}));
        }
        (lines, subtotal, subtotal * 19 / 100)
    }

    fn invoice(&mut self) {
        let (lines, subtotal, tax) = self.invoice_lines();
        let number = self.invoice_number();
        let new = json!({"number": number, "currency": "EUR", "lines": lines, "due_days": 14,
            "subtotal": euros(subtotal), "tax": euros(tax), "total": euros(subtotal + tax)});
        let sitting = self.sit_down(&BILLING);
        let effect = Effect { new, ..Effect::read(number) };
        self.write(&sitting, "Invoices", "Create", Outcome::Success, effect);
    }

    fn payment(&mut self, outcome: Outcome, action: &'static str, mut new: Value) {
        let number = self.invoice_number();
        let old = if action == "Create" { Value::Null } else { json!("pending") };
        if action == "Create" {
            let (_, subtotal, tax) = self.invoice_lines();
            new["invoice"] = json!(number);
            new["amount"] = json!({"currency": "EUR", "value": euros(subtotal + tax)});
        }
        let sitting = self.sit_down(&BILLING);
        let effect = Effect { old, new, ..Effect::read(format!("Payment of {number}")) };
        self.write(&sitting, "Payments", action, outcome, effect);
    }

    fn write(
        &mut self,
        sitting: &Sitting,
        kind: &str,
        action: &str,
        outcome: Outcome,
        effect: Effect,
    ) {
        self.write_in(self.organization(), sitting, kind, action, outcome, effect);
    }

    /// Writes the entry under the name that the organization had before it.
    fn write_in(
        &mut self,
        organization: Option<OrganizationRef>,
        sitting: &Sitting,
        kind: &str,
        action: &str,
        outcome: Outcome,
        effect: Effect,
    ) {
        let pause = self.circumstances.random_range(3_000_000..70_000_000);
        let at = Timestamp::from_micros(self.clock.as_micros() + pause).min(self.now);
        self.clock = at;
        let delay = if self.circumstances.random_bool(LATE) {
            self.circumstances.random_range(HOUR..2 * DAY)
        } else {
            0
        };
        let request = self.circumstances.random::<u32>();
        let actor = sitting.actor;
        let entry = NewEntry {
            id: None,
            occurred_at: Some(at),
            kind: text(kind),
            action: text(action),
            outcome,
            user: Person {
                id: text(actor.id),
                name: actor.name.to_owned(),
                email: actor.email.map(str::to_owned),
            },
            organization,
            workspace: effect.workspace,
            identifier: effect.identifier,
            old_value: stored(&effect.old),
            new_value: stored(&effect.new),
            context: Context {
                request_id: Some(format!("req-{request:08x}")),
                ..sitting.context.clone()
            },
        };
        self.arrivals.push((at.plus_seconds(delay), entry));
    }
}

fn permits(part: &Part, needs: Rank, workspace: Option<&WorkspaceRef>) -> bool {
    let reaches = |nowhere| workspace.map_or(nowhere, |w| part.only.contains(&w.id.as_str()));
    match part.rank {
        Rank::Machine => true,
        Rank::Guest => needs <= Rank::Member && reaches(false),
        rank => rank >= needs && (part.only.is_empty() || reaches(true)),
    }
}

/// What is left to say of a deed that did not come about.
fn undone(effect: Effect, outcome: Outcome, kind: &str, action: &str, needs: Rank) -> Effect {
    let read = matches!(action, "Fetch" | "FetchAll" | "Status" | "Download");
    match outcome {
        Outcome::Success => effect,
        Outcome::Denied if read => effect,
        Outcome::Denied => {
            let reason = format!("needs the right of a {needs:?} here").to_lowercase();
            Effect { old: Value::Null, new: json!({"denied": reason}), ..effect }
        }
        Outcome::Failure if read => {
            Effect { identifier: format!("{} (timed out after 30 s)", effect.identifier), ..effect }
        }
        Outcome::Failure => {
            Effect { new: json!({"error": things::mishap(kind, action)}), ..effect }
        }
    }
}

fn euros(cents: u64) -> f64 {
    cents as f64 / 100.0
}

fn stored(value: &Value) -> Option<JsonText> {
    JsonText::from_value(value).expect("sample values are small")
}
