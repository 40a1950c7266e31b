//! What a commit will do: which entries of which requests are new, and the place that each
//! gets. Pure, so that both databases decide the same.

use std::collections::HashMap;

use activity_logs_model::wire::RecordStatus;
use activity_logs_model::{Entry, NewEntry, OrganizationId, Timestamp, Type};
use uuid::Uuid;

use crate::RecordError;
use crate::backend::{Commit, Recorded};

/// Names a log: an organization's, or (`None`) the platform log.
pub(crate) type LogKey = Option<OrganizationId>;

/// The head of a log, as its row says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogHead {
    /// The sequence that the next entry gets.
    pub(crate) next_sequence: i64,
    /// The organization's name in the newest entry of a service; until there is one, in the first.
    pub(crate) name: Option<String>,
    /// Whether the organization was deleted.
    pub(crate) deleted: bool,
}

/// The key of the log that an entry goes to.
pub(crate) fn log_of(entry: &NewEntry) -> LogKey {
    entry.organization.as_ref().map(|organization| organization.id.clone())
}

/// The outcome of planning.
#[derive(Debug)]
pub(crate) struct Plan {
    /// New entries in the order of their positions.
    pub(crate) entries: Vec<Entry>,
    /// The heads of the logs that get entries, as they will be.
    pub(crate) heads: HashMap<LogKey, LogHead>,
    /// What each request will be told.
    pub(crate) results: Commit,
}

/// Plans the commit of `requests` after `position`, given the heads of all logs they touch
/// (absent: a new log) and the entries that already have one of their ids.
pub(crate) fn plan(
    requests: &[Vec<NewEntry>],
    position: i64,
    heads: HashMap<LogKey, LogHead>,
    existing: Vec<Entry>,
    now: Timestamp,
) -> Plan {
    let by_id = existing
        .into_iter()
        .map(|entry| ((entry.organization.as_ref().map(|o| o.id.clone()), entry.id), entry))
        .collect();
    let mut planner = Planner {
        position,
        heads,
        changed: HashMap::new(),
        existing: by_id,
        entries: Vec::new(),
        planned: HashMap::new(),
        now,
    };
    let results = requests.iter().map(|request| planner.request(request)).collect();
    Plan { entries: planner.entries, heads: planner.changed, results }
}

struct Planner {
    position: i64,
    heads: HashMap<LogKey, LogHead>,
    changed: HashMap<LogKey, LogHead>,
    existing: HashMap<(LogKey, Uuid), Entry>,
    entries: Vec<Entry>,
    /// Where in `entries` an id of this commit is.
    planned: HashMap<(LogKey, Uuid), usize>,
    now: Timestamp,
}

impl Planner {
    fn request(&mut self, request: &[NewEntry]) -> Result<Vec<Recorded>, RecordError> {
        self.refuse_deleted(request)?;
        self.refuse_conflicts(request)?;
        Ok(request.iter().map(|entry| self.entry(entry)).collect())
    }

    fn refuse_deleted(&self, request: &[NewEntry]) -> Result<(), RecordError> {
        let deleted = |entry: &&NewEntry| {
            let id = entry.organization.as_ref()?.id.clone();
            self.heads.get(&Some(id.clone()))?.deleted.then_some(id)
        };
        let Some(id) = request.iter().find_map(|entry| deleted(&entry)) else { return Ok(()) };
        let indexes = request
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.organization.as_ref().is_some_and(|o| o.id == id))
            .map(|(index, _)| index);
        Err(RecordError::OrganizationDeleted(id.clone(), indexes.collect()))
    }

    fn refuse_conflicts(&self, request: &[NewEntry]) -> Result<(), RecordError> {
        let mut within: HashMap<(LogKey, Uuid), &NewEntry> = HashMap::new();
        let mut conflicts = Vec::new();
        for (index, entry) in request.iter().enumerate() {
            let Some(id) = entry.id else { continue };
            let key = (log_of(entry), id);
            let same = match self.recorded(&key) {
                Some(recorded) => is_same(entry, recorded),
                None => within.get(&key).is_none_or(|earlier| same_content(entry, earlier)),
            };
            if !same {
                conflicts.push(index);
            }
            within.entry(key).or_insert(entry);
        }
        if conflicts.is_empty() { Ok(()) } else { Err(RecordError::IdConflict(conflicts)) }
    }

    fn recorded(&self, key: &(LogKey, Uuid)) -> Option<&Entry> {
        self.planned.get(key).map(|index| &self.entries[*index]).or_else(|| self.existing.get(key))
    }

    fn entry(&mut self, new: &NewEntry) -> Recorded {
        let log = log_of(new);
        let id = new.id.unwrap_or_else(Uuid::now_v7);
        let key = (log.clone(), id);
        if new.id.is_some()
            && let Some(entry) = self.recorded(&key)
        {
            return receipt(entry, RecordStatus::Duplicate);
        }
        let head = self
            .changed
            .entry(log.clone())
            .or_insert_with(|| self.heads.get(&log).cloned().unwrap_or_default());
        self.position += 1;
        let mut entry = new.clone().recorded(id, self.now, self.position, head.next_sequence);
        head.next_sequence += 1;
        if let Some(organization) = &mut entry.organization {
            // What a reader knows of the name may be old: services alone rename.
            match &head.name {
                Some(name) if is_about_reading(new) => organization.name.clone_from(name),
                _ => head.name = Some(organization.name.clone()),
            }
        }
        let receipt = receipt(&entry, RecordStatus::New);
        self.planned.insert(key, self.entries.len());
        self.entries.push(entry);
        receipt
    }
}

fn receipt(entry: &Entry, status: RecordStatus) -> Recorded {
    Recorded { id: entry.id, sequence: entry.sequence, position: entry.position, status }
}

/// Whether the entry is one that the service makes about reading.
fn is_about_reading(entry: &NewEntry) -> bool {
    entry.kind == Type::activity_logs()
}

/// Whether `recorded` is this entry. One about reading has taken the name that its log had.
fn is_same(entry: &NewEntry, recorded: &Entry) -> bool {
    if is_about_reading(entry) {
        NewEntry { organization: recorded.organization.clone(), ..entry.clone() }
            .is_same_as(recorded)
    } else {
        entry.is_same_as(recorded)
    }
}

/// Whether two entries of one request say the same.
fn same_content(a: &NewEntry, b: &NewEntry) -> bool {
    a.occurred_at == b.occurred_at
        && a.is_same_as(&b.clone().recorded(Uuid::nil(), Timestamp::EPOCH, 1, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_logs_model::record::parse_entry;
    use activity_logs_model::{Catalog, OrganizationRef};

    const NOW: Timestamp = Timestamp::EPOCH;

    fn entry(id: u128, organization: Option<&str>, identifier: &str) -> NewEntry {
        let json = serde_json::json!({"id": Uuid::from_u128(id), "type": "Users", "action": "Fetch",
            "user": {"id": "u", "name": "U"}, "identifier": identifier});
        let mut entry =
            parse_entry(json.to_string().as_bytes(), &Catalog::built_in(), NOW).expect("an entry");
        entry.organization = organization
            .map(|id| OrganizationRef { id: id.parse().expect("an id"), name: id.to_uppercase() });
        entry
    }

    fn fresh(requests: &[Vec<NewEntry>]) -> Plan {
        plan(requests, 10, HashMap::new(), Vec::new(), NOW)
    }

    #[test]
    fn sequences_are_dense_in_each_log_and_positions_over_all() {
        let plan = fresh(&[
            vec![entry(1, Some("a"), ""), entry(2, None, "")],
            vec![entry(3, Some("a"), ""), entry(4, Some("b"), "")],
        ]);
        let places: Vec<_> = plan.entries.iter().map(|e| (e.position, e.sequence)).collect();
        assert_eq!(places, [(11, 0), (12, 0), (13, 1), (14, 0)]);
        let head = &plan.heads[&Some("a".parse().expect("an id"))];
        assert_eq!((head.next_sequence, head.name.as_deref()), (2, Some("A")));
    }

    #[test]
    fn a_refused_request_leaves_no_gap() {
        let plan = fresh(&[
            vec![entry(1, Some("a"), "x")],
            vec![entry(2, Some("a"), "x"), entry(1, Some("a"), "y")],
            vec![entry(3, Some("a"), "x")],
        ]);
        assert!(matches!(&plan.results[1], Err(RecordError::IdConflict(at)) if at == &[1]));
        let places: Vec<_> = plan.entries.iter().map(|e| (e.position, e.sequence)).collect();
        assert_eq!(places, [(11, 0), (12, 1)]);
    }

    #[test]
    fn the_same_entry_twice_is_a_duplicate_within_and_across_requests() {
        let plan = fresh(&[
            vec![entry(1, Some("a"), "x"), entry(1, Some("a"), "x")],
            vec![entry(1, Some("a"), "x"), entry(1, Some("b"), "x")],
        ]);
        assert_eq!(plan.entries.len(), 2, "the same id in another log is another entry");
        let statuses: Vec<_> = plan
            .results
            .iter()
            .flat_map(|r| r.as_ref().expect("recorded").iter().map(|r| r.status))
            .collect();
        use RecordStatus::{Duplicate, New};
        assert_eq!(statuses, [New, Duplicate, Duplicate, New]);
    }

    #[test]
    fn existing_entries_are_compared() {
        let existing = entry(1, Some("a"), "x").recorded(Uuid::from_u128(1), NOW, 5, 2);
        let requests = [vec![entry(1, Some("a"), "x")], vec![entry(1, Some("a"), "y")]];
        let plan = plan(&requests, 10, HashMap::new(), vec![existing], NOW);
        let receipts = plan.results[0].as_ref().expect("recorded");
        assert_eq!((receipts[0].position, receipts[0].sequence), (5, 2));
        assert!(plan.results[1].is_err() && plan.entries.is_empty() && plan.heads.is_empty());
    }

    #[test]
    fn only_services_name_an_organization() {
        let named = |id, name: &str| {
            let mut entry = entry(id, Some("a"), "x");
            entry.organization.as_mut().expect("its organization").name = name.to_owned();
            entry
        };
        let look = |id, name| NewEntry { kind: Type::activity_logs(), ..named(id, name) };
        let names = |plan: &Plan| -> Vec<String> {
            plan.entries.iter().flat_map(|e| e.organization.clone()).map(|o| o.name).collect()
        };
        let head = |plan: &Plan| plan.heads.values().next().expect("a head").clone();

        let first = fresh(&[vec![look(1, "Given")], vec![look(2, "Other")]]);
        assert_eq!(names(&first), ["Given", "Given"], "a log without a name takes the one given");
        let heads = HashMap::from([(Some("a".parse().expect("an id")), head(&first))]);
        let requests = [
            vec![named(3, "Old")],
            vec![named(4, "New"), look(5, "Old")],
            vec![look(6, "Old"), look(5, "Older")],
        ];
        let second = plan(&requests, 12, heads, Vec::new(), NOW);
        assert_eq!(names(&second), ["Old", "New", "New", "New"]);
        assert_eq!(head(&second).name.as_deref(), Some("New"));
        let again = second.results[2].as_ref().expect("the same look has the name of its log");
        assert_eq!(again[1].status, RecordStatus::Duplicate);
    }

    #[test]
    fn a_deleted_organization_takes_nothing() {
        let id: OrganizationId = "a".parse().expect("an id");
        let heads = HashMap::from([(Some(id), LogHead { deleted: true, ..LogHead::default() })]);
        let requests = [vec![entry(2, None, ""), entry(1, Some("a"), "")]];
        let plan = plan(&requests, 0, heads, Vec::new(), NOW);
        assert!(
            matches!(&plan.results[0], Err(RecordError::OrganizationDeleted(_, at)) if at == &[1])
        );
        assert!(plan.entries.is_empty());
    }
}
