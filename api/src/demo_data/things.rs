//! What there is to act on, what can be done to it, and the stories that are told.

use serde_json::{Value, json};

use super::cast::{PLATFORM, Rank};

/// A kind of thing that is kept, as the sample data knows it.
pub(super) struct Resource {
    /// Its type in the catalog.
    pub(super) kind: &'static str,
    /// The names that new ones get.
    pub(super) names: Vec<&'static str>,
    /// The whole initial state of the one with this name and number.
    pub(super) initial: fn(&str, usize) -> Value,
    /// What may change: an array of objects of fields and the values that they get.
    pub(super) changes: Value,
}

/// The fields whose change is simple enough to be shown as before and after alone.
pub(super) const PLAIN_FIELDS: [&str; 6] = ["name", "role", "runtime", "size", "status", "tier"];

/// The actions that move a thing from one status to another.
pub(super) const MOVES: [(&str, &[&str], &str); 3] = [
    ("Deploy", &["created", "running"], "running"),
    ("Suspend", &["running"], "suspended"),
    ("Resume", &["suspended"], "running"),
];

const REGIONS: [&str; 3] = ["eu-central-1", "us-east-1", "ap-northeast-1"];
/// What workspaces run on; each can be upgraded to the next.
pub(super) const RUNTIMES: [&str; 3] = ["2025.10", "2026.1", "2026.2"];

/// What people ask the log for.
pub(super) const QUESTIONS: [(&str, &str); 8] = [
    ("page 1", r#"{"filters": {"type": ["Users"]}, "page": 1, "page_size": 25}"#),
    ("page 2", r#"{"filters": {"type": ["Users"]}, "page": 2, "page_size": 25}"#),
    ("page 1", r#"{"page": 1, "page_size": 25}"#),
    (
        "page 3",
        r#"{"filters": {"action": ["Terminate"], "type": ["Workspace"]}, "page": 3, "page_size": 25}"#,
    ),
    ("page 1", r#"{"filters": {"outcome": ["denied"]}, "page": 1, "page_size": 25}"#),
    ("activity per day", r#"{"days": 30, "time_zone": "Europe/Vienna"}"#),
    ("newest entries", r#"{"limit": 6}"#),
    ("page 1", r#"{"filters": {"user_id": ["user-2"]}, "page": 1, "page_size": 100}"#),
];

/// What people ask other listings for.
pub(super) const PAGES: [&str; 3] =
    ["page 1 of 1", "page 1 of 1, sort=name", "page 1 of 1, sort=-created"];

fn email(name: &str, number: usize) -> String {
    let words =
        name.split(' ').map(|word| word.to_lowercase().replace(|c: char| !c.is_ascii(), ""));
    format!("{}.{number}@mail.example", words.collect::<Vec<_>>().join("."))
}

/// All kinds of things that are kept.
#[rustfmt::skip] // Values are easier to compare with each other on few lines.
pub(super) fn resources() -> Vec<Resource> {
    type Row = (&'static str, &'static str, fn(&str, usize) -> Value, Value);
    let rows: [Row; 10] = [
        ("Organization", "",
            |name, _| json!({"name": name, "tier": "Standard", "seats": 10, "credits": {"monthly": 500, "rollover": false},
                "settings": {"two_factor": "optional", "session_hours": 12}}),
            json!([{"credits": {"monthly": 750, "rollover": false}}, {"credits": {"monthly": 2000, "rollover": true}, "seats": 40},
                {"credits": {"monthly": 1200, "rollover": true}}, {"settings": {"two_factor": "required", "session_hours": 8}},
                {"settings": {"two_factor": "required", "session_hours": 12}, "seats": 25}])),
        ("Workspace", "Research cluster, Nightly training, Billing export, Simulation farm, Customer dashboards, Fraud detection, \
            Data lake import, Speech recognition, Quarterly forecasts, Route planning, Label quality, Recommendation tests, \
            Telemetry archive, Hackathon sandbox, Käufer-Analyse, 需要予測",
            |name, number| json!({"name": name, "status": "created", "size": 2, "gpu": null, "region": REGIONS[number % 3],
                "runtime": RUNTIMES[0], "autoscaling": {"enabled": false}}),
            json!([{"size": 2}, {"size": 4}, {"size": 8}, {"gpu": "A100 40GB", "size": 4}, {"gpu": "H100 80GB"},
                {"gpu": null, "size": 2, "autoscaling": {"enabled": false}}, {"autoscaling": {"enabled": true, "min": 1, "max": 8}},
                {"autoscaling": {"enabled": true, "min": 2, "max": 16}, "gpu": "L4 24GB"}])),
        ("Users", "Amara Okafor, Björn Lindqvist, Carlos Ibáñez, Dana Whitfield, Émilie Laurent, Farid Haddad, Gita Menon, \
            Hugo Almeida, Ivana Kovač, Jonas Fischer, Keiko Mori, Leila Benali, Marta Nowak, Tomás Ó Briain",
            |name, number| json!({"name": name, "email": email(name, number), "role": "member", "status": "invited", "workspaces": null}),
            json!([{"role": "manager"}, {"role": "member"}, {"role": "viewer", "workspaces": ["ws-1"]}, {"status": "active"},
                {"workspaces": ["ws-1", "ws-2"]}, {"workspaces": null, "role": "member", "status": "active"}])),
        ("Plans", "Standard, Premium, Enterprise, Research grant, Start-up, Education",
            |name, number| json!({"name": name, "currency": "EUR", "price_per_seat": 9 + 10 * number, "support": "business hours",
                "limits": {"workspaces": 5 * number, "seats": 25 * number}}),
            json!([{"price_per_seat": 29}, {"price_per_seat": 49, "support": "around the clock"}, {"price_per_seat": 35},
                {"limits": {"workspaces": 50, "seats": 250}}, {"limits": {"workspaces": 20, "seats": 100}, "support": "business hours"}])),
        ("Subscriptions", "Support Plus, Object storage 5 TB, GPU reservation, Single sign-on, Private network",
            |name, number| json!({"name": name, "quantity": number, "billing": "monthly", "price": 49.5, "status": "active"}),
            json!([{"quantity": 10}, {"quantity": 4, "price": 45.0}, {"billing": "yearly", "price": 41.25},
                {"billing": "monthly", "price": 49.5}, {"status": "ends with the period"}])),
        ("AdminUpdates", "Release 2026.2, Release 2026.2.1, Release 2026.3, Database maintenance, Rate limits, Sign-in providers",
            |name, number| json!({"name": name, "channel": "beta", "status": "scheduled", "window": {"hours": number, "days": ["Saturday"]},
                "notes": format!("{name}\n\n- Workspaces resume twice as fast\n- Invoices list every workspace\n\
                    - Fixes {} smaller defects\n\nNo downtime is expected.", 3 + number)}),
            json!([{"status": "rolled out"}, {"channel": "stable", "status": "scheduled"}, {"window": {"hours": 6, "days": ["Saturday", "Sunday"]}},
                {"status": "rolled back", "notes": "Rolled back.\n\nThe new scheduler lost its leases under load.\nNo workspace was affected."}])),
        ("AdminUsers", "Priya Raman, Stefan Brandt, Thandi Nkosi, Yusuf Demir, On-call account, Audit account",
            |name, number| json!({"name": name, "email": email(name, number), "roles": ["Support engineer"], "two_factor": true, "status": "active"}),
            json!([{"roles": ["Auditor", "Support engineer"]}, {"roles": ["Release manager"]}, {"status": "locked"}, {"status": "active"},
                {"two_factor": false}, {"two_factor": true, "status": "active"}])),
        ("AdminRoles", "Auditor, Billing manager, Support engineer, Release manager, Data steward",
            |name, _| json!({"name": name, "description": format!("{name}, reading only"), "session_hours": 12,
                "permissions": ["accounts.read", "users.read"]}),
            json!([{"description": "May answer for the platform in reviews"}, {"session_hours": 4}, {"session_hours": 12},
                {"session_hours": 8, "permissions": ["accounts.read", "logs.read", "users.read"]}])),
        ("AdminRolePermissions", "Auditor on logs, Billing manager on invoices, Support engineer on workspaces, \
            Release manager on updates, Data steward on exports",
            |name, _| json!({"name": name, "permissions": ["read"], "scope": "all"}),
            json!([{"permissions": ["export", "read"]}, {"permissions": ["read", "update"]}, {"permissions": ["read"], "scope": "all"},
                {"permissions": ["create", "read", "update"], "scope": "own region"}])),
        ("AdminAccounts", "Hooli trial, Vandelay Imports, Wayne sandbox, Cyberdyne pilot, Soylent evaluation, Tyrell demonstration",
            |name, number| json!({"name": name, "status": "active", "credit_limit": 1000 * number, "payment_days": 30}),
            json!([{"status": "overdue"}, {"status": "active"}, {"payment_days": 14}, {"payment_days": 30, "credit_limit": 8000},
                {"status": "active", "credit_limit": 25000}])),
    ];
    rows.map(|(kind, names, initial, changes)| Resource { kind, names: names.split(", ").collect(), initial, changes }).into()
}

/// What is done to a kind of thing, who may, and how often compared with everything else.
pub(super) type Habit = (&'static str, Rank, &'static [(&'static str, u32)]);

const ADMINISTRATION: &[(&str, u32)] =
    &[("Create", 5), ("Update", 9), ("Delete", 6), ("Fetch", 6), ("FetchAll", 5)];

/// What is done in organizations.
#[rustfmt::skip] // A table: one kind and right a line.
pub(super) const IN_ORGANIZATIONS: [Habit; 15] = [
    ("Workspace", Rank::Member, &[("FetchAll", 110), ("Fetch", 130), ("Status", 150), ("Download", 40),
        ("Create", 10), ("Update", 80), ("Deploy", 60), ("Suspend", 34), ("Resume", 40), ("Upgrade", 16), ("Terminate", 8)]),
    ("Users", Rank::Member, &[("FetchAll", 60), ("Fetch", 70)]),
    ("Users", Rank::Manager, &[("Create", 40), ("Update", 90), ("Delete", 22)]),
    ("Organization", Rank::Member, &[("Fetch", 30), ("FetchAll", 10)]),
    ("Organization", Rank::Manager, &[("Update", 20)]),
    ("Plans", Rank::Member, &[("FetchAll", 10)]),
    ("Invitations", Rank::Member, &[("Response", 20)]),
    ("Invoices", Rank::Member, &[("Fetch", 18), ("FetchAll", 16)]),
    ("Subscriptions", Rank::Manager, &[("Create", 12), ("Update", 16), ("Delete", 12)]),
    ("ActivityLogs", Rank::Member, &[("FetchAll", 24), ("Fetch", 18)]),
    ("AdminUpdates", Rank::Administrator, ADMINISTRATION),
    ("AdminUsers", Rank::Administrator, ADMINISTRATION),
    ("AdminRoles", Rank::Administrator, ADMINISTRATION),
    ("AdminRolePermissions", Rank::Administrator, ADMINISTRATION),
    ("AdminAccounts", Rank::Administrator, &[("Update", 9), ("Fetch", 6), ("FetchAll", 5)]),
];

/// What is done on the platform as a whole.
#[rustfmt::skip] // A table: one kind and right a line.
pub(super) const ON_THE_PLATFORM: [Habit; 8] = [
    ("Plans", Rank::Administrator, &[("Create", 5), ("Update", 12), ("FetchAll", 8)]),
    ("Plans", Rank::Member, &[("FetchAll", 4)]),
    ("AdminUpdates", Rank::Administrator, ADMINISTRATION),
    ("AdminUsers", Rank::Administrator, ADMINISTRATION),
    ("AdminRoles", Rank::Administrator, ADMINISTRATION),
    ("AdminRolePermissions", Rank::Administrator, ADMINISTRATION),
    ("AdminAccounts", Rank::Administrator, ADMINISTRATION),
    ("ActivityLogs", Rank::Member, &[("FetchAll", 16), ("Fetch", 8)]),
];

/// Something that is bound to happen.
pub(super) struct Milestone {
    /// The organization, or [`PLATFORM`].
    pub(super) place: &'static str,
    /// After how much of all that happens there.
    pub(super) percent: usize,
    /// The id of who does it.
    pub(super) actor: &'static str,
    /// The type of what it is done to.
    pub(super) kind: &'static str,
    /// What is done.
    pub(super) action: &'static str,
    /// The name of what it is done to.
    pub(super) name: &'static str,
    /// The fields that get other values.
    pub(super) patch: Value,
}

/// The stories, each in its order.
#[rustfmt::skip] // A table: one event a line.
pub(super) fn milestones() -> Vec<Milestone> {
    let (none, release) = (Value::Null, "Release 2026.1");
    [
        ("acme", 4, "user-1", "Workspace", "Create", "Vision lab", json!({"gpu": "A100 40GB", "region": "eu-central-1"})),
        ("acme", 5, "user-1", "Workspace", "Deploy", "Vision lab", none.clone()),
        ("acme", 18, "user-2", "Workspace", "Update", "Vision lab", json!({"size": 4})),
        ("acme", 24, "user-1", "Organization", "Update", "Acme Robotics", json!({"tier": "Premium"})),
        ("acme", 31, "user-2", "Workspace", "Update", "Vision lab", json!({"gpu": "H100 80GB", "size": 8})),
        ("acme", 40, "user-7", "Workspace", "Update", "Vision lab", json!({"autoscaling": {"enabled": true, "min": 2, "max": 8}})),
        ("acme", 52, "user-1", "Workspace", "Suspend", "Vision lab", none.clone()),
        ("acme", 60, "user-2", "Workspace", "Resume", "Vision lab", none.clone()),
        ("acme", 66, "user-7", "Workspace", "Upgrade", "Vision lab", json!({"runtime": RUNTIMES[1]})),
        ("acme", 71, "user-1", "Organization", "Update", "Acme Robotics", json!({"tier": "Enterprise"})),
        ("acme", 72, "user-1", "Organization", "Update", "Acme Robotics", json!({"credits": {"monthly": 5000, "rollover": true}, "seats": 120})),
        ("acme", 90, "user-1", "Workspace", "Terminate", "Vision lab", none.clone()),
        ("umbrella", 6, "user-4", "Invitations", "Response", "Simulation farm", none.clone()),
        ("umbrella", 50, "user-13", "Organization", "Update", "Umbrella Analytics", json!({"tier": "Premium"})),
        ("initech", 40, "user-16", "Organization", "Update", "Initech", json!({"name": "Initech Labs"})),
        ("initech", 60, "user-16", "Organization", "Update", "Initech Labs", json!({"tier": "Premium"})),
        ("globex", 1, "user-21", "Workspace", "Create", "Proof of concept", none.clone()),
        ("globex", 2, "user-21", "Workspace", "Deploy", "Proof of concept", none.clone()),
        ("globex", 80, "user-21", "Organization", "Update", "Globex", json!({"tier": "Premium"})),
        ("lumon", 0, "user-23", "Workspace", "Create", "First steps", none.clone()),
        (PLATFORM, 10, "user-6", "AdminUpdates", "Create", release, none.clone()),
        (PLATFORM, 20, "user-6", "AdminUpdates", "Update", release, json!({"channel": "stable", "window": {"hours": 4, "days": ["Saturday", "Sunday"]}})),
        (PLATFORM, 33, "user-6", "AdminUpdates", "Update", release, json!({"status": "rolled out"})),
    ]
    .into_iter()
    .map(|(place, percent, actor, kind, action, name, patch)| Milestone { place, percent, actor, kind, action, name, patch })
    .collect()
}

/// Why something that was allowed went wrong.
pub(super) fn mishap(kind: &str, action: &str) -> &'static str {
    match (kind, action) {
        ("Workspace", "Create" | "Deploy" | "Resume") => "no capacity of this size in the region",
        ("Workspace", "Upgrade") => "the runtime's image could not be pulled",
        ("Users" | "AdminUsers", "Create") => "the e-mail address is already in use",
        ("Invitations", _) => "the invitation expired",
        ("Subscriptions" | "Payments", _) => "card declined: insufficient funds",
        ("AdminUpdates", "Update") => "health checks failed after ten minutes",
        _ => "somebody else changed it at the same time",
    }
}
