//! Plays one place through: its people sit down, do things to what there is, and every deed
//! becomes an entry.

use activity_logs_model::{
    Context, JsonText, NewEntry, OrganizationRef, Outcome, Person, Timestamp, WorkspaceRef,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::billing::Bill;
use super::cast::{Actor, CAST, Home, PLATFORM, Part, Rank};
use super::deeds::{Deed, table};
use super::thing::{Effect, Standing, Thing};
use super::things::{self, IN_ORGANIZATIONS, Milestone, ON_THE_PLATFORM, Resource};
use super::{cast_member, text};

/// An hour, in seconds.
pub(super) const HOUR: i64 = 3_600;
/// A day, in seconds.
pub(super) const DAY: i64 = 24 * HOUR;

const SEED: u64 = 20_260_131;
/// How many of the deeds that are not allowed are tried nevertheless.
const TRIED: f64 = 0.06;
const FAILING: f64 = 0.02;
const LATE: f64 = 0.01;
/// The last session starts this long ago, which leaves it time to end before now.
const LAST_SESSION: i64 = 15 * 60;

#[rustfmt::skip] // One line each, as they come.
const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

/// What is due at some time.
pub(super) enum Item<'a> {
    /// Somebody sits down to work.
    Session,
    /// A story goes on.
    Milestone(&'a Milestone),
    /// The month's invoice is seen to.
    Bill(Bill),
}

/// One sitting of somebody.
pub(super) struct Sitting {
    actor: &'static Actor,
    context: Context,
}

/// One place, being played through.
pub(super) struct Play<'a> {
    /// The place.
    pub(super) home: &'a Home,
    /// What there is, and what there was.
    pub(super) things: Vec<Thing>,
    /// When the data ends.
    pub(super) now: Timestamp,
    /// How far it has been played.
    pub(super) clock: Timestamp,
    /// What kinds of things there are.
    pub(super) resources: &'a [Resource],
    /// Draws what happens.
    pub(super) deeds: StdRng,
    /// Draws when and from where; apart, because the calendar decides how often it is asked.
    circumstances: StdRng,
    arrivals: Vec<(Timestamp, NewEntry)>,
}

impl<'a> Play<'a> {
    /// The place as it is when the data begins. `index` makes it differ from the others.
    pub(super) fn new(
        index: usize,
        home: &'a Home,
        resources: &'a [Resource],
        now: Timestamp,
    ) -> Self {
        let seed = SEED + 2 * index as u64;
        let mut play = Self {
            home,
            things: Vec::new(),
            now,
            clock: now.plus_seconds(-home.days * DAY),
            resources,
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
        let on_platform = self.home.id == PLATFORM;
        for resource in self.resources {
            let (first, count) = match resource.kind {
                "Organization" | "Users" => continue,
                "Plans" | "AdminAccounts" if !on_platform => continue,
                "Workspace" => (offset, self.home.workspaces),
                _ => (0, 2),
            };
            for name in resource.names.iter().skip(first).take(count) {
                let thing = self.add(resource.kind, name, Standing::Founding);
                if thing.kind == "Workspace" {
                    thing.body["status"] = json!("running");
                }
            }
        }
        if !on_platform {
            self.add("AdminAccounts", self.home.name, Standing::Founding);
            self.add("Organization", self.home.name, Standing::Founding);
            for (actor, part) in self.members() {
                self.admit(actor, part).body["status"] = json!("active");
            }
        }
    }

    /// Adds a thing in its initial state.
    pub(super) fn add(&mut self, kind: &'static str, name: &str, standing: Standing) -> &mut Thing {
        let number = 1 + self.things.iter().filter(|thing| thing.kind == kind).count();
        let body = (table(self.resources, kind).initial)(name, number);
        self.things.push(Thing { kind, number, standing, body });
        self.things.last_mut().expect("was just pushed")
    }

    /// Adds somebody of the cast as a user, whom nobody may change: what they do shows their
    /// rights, so these must stay what they are.
    fn admit(&mut self, actor: &Actor, part: &Part) -> &mut Thing {
        let user = self.add("Users", actor.name, Standing::Starring);
        user.body["email"] = json!(actor.email);
        user.body["role"] = json!(format!("{:?}", part.rank).to_lowercase());
        if !part.only.is_empty() {
            user.body["workspaces"] = json!(part.only);
        }
        user
    }

    fn parts(&self) -> Vec<(&'static Actor, &'static Part)> {
        let here = |part: &&Part| part.place == self.home.id;
        CAST.iter().filter_map(|actor| Some((actor, actor.parts.iter().find(here)?))).collect()
    }

    fn members(&self) -> Vec<(&'static Actor, &'static Part)> {
        let mut parts = self.parts();
        parts.retain(|(_, part)| matches!(part.rank, Rank::Member | Rank::Manager));
        parts
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
        let mut agenda = self.bills();
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
                Item::Bill(bill) => self.settle(bill),
            }
        }
        self.arrivals
    }

    /// When people sit down to work: on working days and in the hours where they are, mostly.
    /// The last of them has only just begun, so that the demo looks alive.
    fn starts(&mut self) -> Vec<Timestamp> {
        let begin = self.clock.as_micros();
        let end = self.now.plus_seconds(-LAST_SESSION).as_micros();
        let mut starts = vec![Timestamp::from_micros(end)];
        while starts.len() < self.home.sessions {
            let at = self.circumstances.random_range(begin..end);
            let local = at.div_euclid(1_000_000) + self.home.utc_offset * HOUR;
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

    /// An organization comes to be: an administrator makes it and its first users.
    fn open(&mut self) {
        let sitting = self.sit_down(cast_member("user-5"));
        let organization = self.add("Organization", self.home.name, Standing::Founding).clone();
        let mut made = vec![organization];
        made.extend(
            self.members().into_iter().map(|(actor, part)| self.admit(actor, part).clone()),
        );
        for thing in made {
            let effect = Effect::of(&thing, Value::Null, thing.body.clone());
            self.write(&sitting, (thing.kind, "Create"), Outcome::Success, effect);
        }
    }

    fn session(&mut self) {
        let parts = self.parts();
        let (actor, part) = parts
            .choose_weighted(&mut self.deeds, |(_, part)| part.weight)
            .expect("everywhere is somebody");
        let sitting = self.sit_down(actor);
        let mut left = self.deeds.random_range(2..=7);
        // Guests and programs find little to do at times, and then leave it at that.
        for _ in 0..200 {
            if left > 0 && self.try_something(&sitting, part) {
                left -= 1;
            }
        }
    }

    /// Starts a sitting of this person, at one of their devices.
    pub(super) fn sit_down(&mut self, actor: &'static Actor) -> Sitting {
        let number = CAST.iter().position(|other| other.id == actor.id).unwrap_or(CAST.len());
        let host = 10 + number;
        let (address, agent) = match (actor.email, self.circumstances.random_range(0..10)) {
            (None, _) => (format!("198.51.100.{host}"), format!("{}/2.14.1", actor.id)),
            (_, 0) => (format!("2001:db8:{host}::7"), "platform-cli/1.9.2 (linux)".to_owned()),
            (_, 1..=2) => (format!("203.0.113.{host}"), BROWSERS[3].to_owned()),
            _ => (format!("192.0.2.{host}"), BROWSERS[number % 3].to_owned()),
        };
        let context =
            Context { ip_address: Some(address), user_agent: Some(agent), request_id: None };
        Sitting { actor, context }
    }

    /// Draws a deed; false where it can't be done, or this person would not try it.
    fn try_something(&mut self, sitting: &Sitting, part: &Part) -> bool {
        let habits: &[things::Habit] =
            if self.home.id == PLATFORM { &ON_THE_PLATFORM } else { &IN_ORGANIZATIONS };
        let choices: Vec<_> = habits
            .iter()
            .flat_map(|(kind, needs, all)| {
                all.iter().map(|(act, often)| (*kind, *act, *needs, *often))
            })
            .collect();
        let (kind, action, needs, _) = *choices
            .choose_weighted(&mut self.deeds, |(.., needs, often)| {
                // Administrators come to an organization to administer.
                let visits = part.rank == Rank::Administrator && part.rank == *needs;
                if visits { often * 6 } else { *often }
            })
            .expect("the weights are positive");
        let tends =
            kind == "Workspace" && matches!(action, "Status" | "Suspend" | "Resume" | "Deploy");
        if part.rank == Rank::Machine && !tends {
            return false;
        }
        let before = self.things.clone();
        let Some(effect) = self.enact(&Deed { kind, action, name: None, patch: None }) else {
            return false;
        };
        let refused = refusal(part, needs, effect.workspace.as_ref());
        let failed = self.deeds.random_bool(FAILING);
        if refused.is_none() && !failed {
            self.write(sitting, (kind, action), Outcome::Success, effect);
            return true;
        }
        self.things = before;
        let (outcome, effect) = undone(effect, refused, (kind, action));
        // Who only looks around on the platform doesn't even see what else there is to do.
        let temptation = if self.home.id == PLATFORM { 0.0 } else { TRIED };
        let tried = outcome == Outcome::Failure || self.deeds.random_bool(temptation);
        if tried {
            self.write(sitting, (kind, action), outcome, effect);
        }
        tried
    }

    fn reach(&mut self, milestone: &Milestone) {
        let sitting = self.sit_down(cast_member(milestone.actor));
        let &Milestone { kind, action, name, ref patch, .. } = milestone;
        let deed = Deed { kind, action, name: Some(name), patch: Some(patch) };
        let effect = self.enact(&deed).expect("the stories are possible");
        self.write(&sitting, (kind, action), Outcome::Success, effect);
    }

    /// Makes the entry, a little after the one before it.
    pub(super) fn write(
        &mut self,
        sitting: &Sitting,
        (kind, action): (&str, &str),
        outcome: Outcome,
        effect: Effect,
    ) {
        let pause = self.circumstances.random_range(3_000_000..70_000_000);
        self.clock = Timestamp::from_micros(self.clock.as_micros() + pause).min(self.now);
        let late = self.circumstances.random_bool(LATE);
        let delay = if late { self.circumstances.random_range(HOUR..2 * DAY) } else { 0 };
        let request = self.circumstances.random::<u32>();
        let actor = sitting.actor;
        let stored = |value| JsonText::from_value(value).expect("sample values are small");
        let mut question = effect.question;
        if let Some(question) = question.as_object_mut() {
            let belongs =
                |part: &Part| part.place == self.home.id && part.rank != Rank::Administrator;
            question.insert("member".to_owned(), actor.parts.iter().any(belongs).into());
        }
        let entry = NewEntry {
            id: None,
            occurred_at: Some(self.clock),
            kind: text(kind),
            action: text(action),
            outcome,
            user: Person {
                id: text(actor.id),
                name: actor.name.to_owned(),
                email: actor.email.map(str::to_owned),
            },
            organization: self.organization(),
            workspace: effect.workspace,
            identifier: effect.identifier,
            old_value: stored(&effect.old),
            new_value: stored(&effect.new),
            context: Context {
                request_id: Some(format!("req-{request:08x}")),
                ..sitting.context.clone()
            },
            question: stored(&question),
        };
        self.arrivals.push((self.clock.plus_seconds(delay), entry));
    }
}

/// Why somebody may not do what needs this rank there.
fn refusal(part: &Part, needs: Rank, workspace: Option<&WorkspaceRef>) -> Option<String> {
    let reaches = |id: &WorkspaceRef| part.only.contains(&id.id.as_str());
    let (ranks, reaches) = match part.rank {
        Rank::Machine => (true, true),
        Rank::Guest => (needs <= Rank::Member, workspace.is_some_and(reaches)),
        rank => (rank >= needs, part.only.is_empty() || workspace.is_none_or(reaches)),
    };
    match (ranks, reaches) {
        (true, true) => None,
        (false, _) => Some(format!("only for {needs:?}s").to_lowercase()),
        (true, false) => Some("is limited to other workspaces".to_owned()),
    }
}

/// What is left to say of a deed that was refused or else went wrong.
fn undone(
    effect: Effect,
    refused: Option<String>,
    (kind, action): (&str, &str),
) -> (Outcome, Effect) {
    let reads = matches!(action, "Fetch" | "FetchAll" | "Status" | "Download");
    match refused {
        Some(_) if reads => (Outcome::Denied, effect),
        Some(why) => {
            (Outcome::Denied, Effect { old: Value::Null, new: json!({"denied": why}), ..effect })
        }
        None if reads => {
            let identifier = format!("{} (timed out after 30 s)", effect.identifier);
            (Outcome::Failure, Effect { identifier, ..effect })
        }
        None => {
            let new = json!({"error": things::mishap(kind, action)});
            (Outcome::Failure, Effect { new, ..effect })
        }
    }
}
