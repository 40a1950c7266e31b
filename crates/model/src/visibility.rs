//! Who sees what: one value made from a verified token, read here as a predicate and in the
//! store's index as sets. Property tests hold all readings equal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalog::Type;
use crate::entry::{Entry, MAX_NAME_LENGTH, Outcome, Person, check_text};
use crate::id::{OrganizationId, UserId, WorkspaceId};

/// What a caller is, as their token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Sees every entry and may end an organization.
    Admin,
    /// Sees what their memberships and grants let them see, and what they did themselves.
    User,
    /// Records, and reads nothing.
    Service,
}

/// The claims of a token that decide what its bearer may do. Other claims are ignored here;
/// `exp`, `nbf`, `iss` and `aud` are checked where the signature is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Box<serde_json::value::RawValue>")]
pub struct Claims {
    /// Who the bearer is.
    pub sub: UserId,
    /// Their name; their id stands in where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What they are.
    pub role: Role,
    /// The organizations they are members of; for a service, those it may record into. A service
    /// without this claim may record anywhere, one with an empty list nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizations: Option<Vec<MembershipClaim>>,
    /// Single workspaces they were granted, in organizations of their own or others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<GrantClaim>,
}

/// Membership in an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MembershipClaim {
    /// The organization.
    pub id: OrganizationId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(examples("Acme")))]
    pub name: Option<String>,
    /// The workspaces the member is restricted to; missing or null is no restriction, an
    /// empty list is a restriction to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<Vec<WorkspaceId>>,
}

/// A grant of one workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantClaim {
    /// The workspace's organization.
    pub organization_id: OrganizationId,
    /// The workspace.
    pub id: WorkspaceId,
}

/// Who is calling, from a verified token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who they are: the `user` of the entries that their reading makes.
    pub person: Person,
    /// What they are.
    pub role: Role,
    /// Their memberships, as the token has them; an empty list is not a missing one.
    pub memberships: Option<Vec<MembershipClaim>>,
    /// Their grants, as the token has them.
    pub grants: Vec<GrantClaim>,
}

impl TryFrom<Claims> for Caller {
    type Error = String;

    fn try_from(claims: Claims) -> Result<Self, String> {
        let name = claims.name.unwrap_or_else(|| claims.sub.to_string());
        check_text(&name, 1, MAX_NAME_LENGTH).map_err(|why| format!("the claim name {why}"))?;
        for name in claims.organizations.iter().flatten().filter_map(|o| o.name.as_ref()) {
            check_text(name, 1, MAX_NAME_LENGTH)
                .map_err(|why| format!("an organization's name in the claims {why}"))?;
        }
        if let Some(email) = &claims.email {
            check_text(email, 1, 320).map_err(|why| format!("the claim email {why}"))?;
        }
        Ok(Self {
            person: Person { id: claims.sub, name, email: claims.email },
            role: claims.role,
            memberships: claims.organizations,
            grants: claims.workspaces,
        })
    }
}

impl Caller {
    /// What this caller sees.
    pub fn visibility(&self) -> Visibility {
        match self.role {
            Role::Admin => Visibility::Everything,
            Role::Service => Visibility::Nothing,
            Role::User => {
                let mut reach: BTreeMap<OrganizationId, Reach> = BTreeMap::new();
                for membership in self.memberships.iter().flatten() {
                    let granted = match &membership.workspaces {
                        None => Reach::Whole,
                        Some(workspaces) => Reach::Part {
                            without_workspace: true,
                            workspaces: workspaces.iter().cloned().collect(),
                        },
                    };
                    reach.entry(membership.id.clone()).or_default().widen(granted);
                }
                for grant in &self.grants {
                    reach.entry(grant.organization_id.clone()).or_default().widen(Reach::Part {
                        without_workspace: false,
                        workspaces: BTreeSet::from([grant.id.clone()]),
                    });
                }
                Visibility::Reader { user: self.person.id.clone(), reach }
            }
        }
    }

    /// Whether a service may record into this log (`None` is the platform log).
    pub fn may_record_into(&self, organization: Option<&OrganizationId>) -> bool {
        self.role == Role::Service
            && self.memberships.as_ref().is_none_or(|listed| {
                organization.is_some_and(|id| listed.iter().any(|m| m.id == *id))
            })
    }

    /// Whether the caller is a member of the organization, or holds a grant in it.
    pub fn belongs_to(&self, organization: &OrganizationId) -> bool {
        self.memberships.iter().flatten().any(|membership| membership.id == *organization)
            || self.grants.iter().any(|grant| grant.organization_id == *organization)
    }

    /// The organization's name as the token has it.
    pub fn organization_name(&self, organization: &OrganizationId) -> Option<&str> {
        let membership = self.memberships.iter().flatten().find(|m| m.id == *organization)?;
        membership.name.as_deref()
    }
}

/// Which entries a caller sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// An administrator: every entry.
    Everything,
    /// A service: none.
    Nothing,
    /// Anyone else: what they reach in organizations, except administrative types, and what they
    /// did themselves, wherever it happened, except denied attempts on logs they may not open.
    Reader {
        /// Whose own entries are seen.
        user: UserId,
        /// How far they see into each organization they may open.
        reach: BTreeMap<OrganizationId, Reach>,
    },
}

/// How far somebody sees into one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of its workspaces, and what has no workspace.
    Whole,
    /// Some of it.
    Part {
        /// Whether entries without a workspace are seen (a member's right, not a grant's).
        without_workspace: bool,
        /// The workspaces that are seen.
        workspaces: BTreeSet<WorkspaceId>,
    },
}

impl Default for Reach {
    fn default() -> Self {
        Reach::Part { without_workspace: false, workspaces: BTreeSet::new() }
    }
}

impl Reach {
    fn widen(&mut self, more: Reach) {
        match (&mut *self, more) {
            (Reach::Whole, _) => {}
            (_, Reach::Whole) => *self = Reach::Whole,
            (
                Reach::Part { without_workspace, workspaces },
                Reach::Part { without_workspace: also, workspaces: added },
            ) => {
                *without_workspace |= also;
                workspaces.extend(added);
            }
        }
    }

    /// Whether entries of this workspace (`None`: without one) are seen.
    pub fn covers(&self, workspace: Option<&WorkspaceId>) -> bool {
        match (self, workspace) {
            (Reach::Whole, _) => true,
            (Reach::Part { without_workspace, .. }, None) => *without_workspace,
            (Reach::Part { workspaces, .. }, Some(id)) => workspaces.contains(id),
        }
    }
}

impl Visibility {
    /// Whether this entry is seen: the rule itself.
    pub fn allows(&self, entry: &Entry) -> bool {
        match self {
            Visibility::Everything => true,
            Visibility::Nothing => false,
            Visibility::Reader { user, reach } => {
                let reach = entry.organization.as_ref().and_then(|o| reach.get(&o.id));
                let workspace = entry.workspace.as_ref().map(|w| &w.id);
                if entry.user.id == *user
                    && (reach.is_some()
                        || !is_denied_attempt(entry.kind.as_str(), entry.outcome.as_str()))
                {
                    return true;
                }
                !entry.kind.is_administrative()
                    && reach.is_some_and(|reach| reach.covers(workspace))
            }
        }
    }

    /// Whether the organization's page opens at all.
    pub fn opens(&self, organization: &OrganizationId) -> bool {
        match self {
            Visibility::Everything => true,
            Visibility::Nothing => false,
            Visibility::Reader { reach, .. } => reach.contains_key(organization),
        }
    }
}

/// Whether entries of this type and outcome are denied attempts on a log. Where somebody may not
/// open an organization, their own attempts would tell them whether it exists, its name, and how
/// many entries it has. The platform log has the attempts on organizations that don't exist.
pub fn is_denied_attempt(kind: &str, outcome: &str) -> bool {
    kind == Type::ACTIVITY_LOGS && outcome == Outcome::Denied.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Context, NewEntry, OrganizationRef, Outcome, WorkspaceRef};
    use crate::time::Timestamp;

    fn caller(claims: serde_json::Value) -> Caller {
        serde_json::from_value::<Claims>(claims).unwrap().try_into().unwrap()
    }

    fn entry(user: &str, kind: &str, organization: Option<&str>, workspace: Option<&str>) -> Entry {
        NewEntry {
            id: None,
            occurred_at: None,
            kind: kind.parse().unwrap(),
            action: "Update".parse().unwrap(),
            outcome: Outcome::Success,
            user: Person { id: user.parse().unwrap(), name: user.to_owned(), email: None },
            organization: organization
                .map(|id| OrganizationRef { id: id.parse().unwrap(), name: id.to_owned() }),
            workspace: workspace
                .map(|id| WorkspaceRef { id: id.parse().unwrap(), name: id.to_owned() }),
            identifier: String::new(),
            old_value: None,
            new_value: None,
            context: Context::default(),
            question: None,
        }
        .recorded(uuid::Uuid::nil(), Timestamp::EPOCH, 1, 0)
    }

    #[test]
    fn a_restricted_member_sees_their_workspaces_and_what_has_none() {
        let v = caller(serde_json::json!({"sub": "u", "role": "user",
            "organizations": [{"id": "acme", "workspaces": ["ws-1"]}],
            "workspaces": [{"organization_id": "umbrella", "id": "ws-9"}]}))
        .visibility();
        let cases = [
            ("x", "Users", Some("acme"), None, true),
            ("x", "Workspace", Some("acme"), Some("ws-1"), true),
            ("x", "Workspace", Some("acme"), Some("ws-2"), false),
            ("u", "Workspace", Some("acme"), Some("ws-2"), true),
            ("x", "AdminUsers", Some("acme"), None, false),
            ("u", "AdminUsers", Some("acme"), None, true),
            ("x", "Workspace", Some("umbrella"), Some("ws-9"), true),
            ("x", "AdminUsers", Some("umbrella"), Some("ws-9"), false),
            ("x", "Users", Some("umbrella"), None, false),
            ("x", "Workspace", Some("umbrella"), Some("ws-1"), false),
            ("x", "Users", Some("other"), None, false),
            ("u", "Users", Some("other"), None, true),
            ("x", "Plans", None, None, false),
            ("u", "Plans", None, None, true),
        ];
        for (user, kind, organization, workspace, sees) in cases {
            let entry = entry(user, kind, organization, workspace);
            assert_eq!(v.allows(&entry), sees, "{user} {kind} {organization:?} {workspace:?}");
        }
        let opens = ["acme", "umbrella", "other"].map(|id| v.opens(&id.parse().unwrap()));
        assert_eq!(opens, [true, true, false]);
    }

    #[test]
    fn denied_attempts_are_seen_where_the_log_opens() {
        let v = caller(serde_json::json!({"sub": "u", "role": "user",
            "organizations": [{"id": "acme"}, {"id": "part", "workspaces": []}],
            "workspaces": [{"organization_id": "granted", "id": "ws-9"}]}))
        .visibility();
        let admin = Visibility::Everything;
        let places = [
            (Some("acme"), true),
            (Some("part"), true),
            (Some("granted"), true),
            (Some("other"), false),
            (None, false),
        ];
        for (organization, opens) in places {
            for (kind, outcome, sees) in [
                ("ActivityLogs", Outcome::Denied, opens),
                ("ActivityLogs", Outcome::Success, true),
                ("ActivityLogs", Outcome::Failure, true),
                ("AdminAccounts", Outcome::Denied, true),
                ("Users", Outcome::Denied, true),
            ] {
                let entry = Entry { outcome, ..entry("u", kind, organization, None) };
                assert_eq!(v.allows(&entry), sees, "{kind} {outcome:?} {organization:?}");
                assert!(admin.allows(&entry), "{kind} {outcome:?} {organization:?}");
            }
        }
        let of_another =
            |place| Entry { outcome: Outcome::Denied, ..entry("x", "ActivityLogs", place, None) };
        let seen = places.map(|(place, _)| v.allows(&of_another(place)));
        assert_eq!(seen, [true, true, false, false, false]);
    }

    #[test]
    fn an_empty_restriction_is_a_restriction_to_none() {
        let v = caller(serde_json::json!({"sub": "u", "role": "user",
            "organizations": [{"id": "acme", "workspaces": []}]}))
        .visibility();
        assert!(v.allows(&entry("x", "Users", Some("acme"), None)));
        assert!(!v.allows(&entry("x", "Workspace", Some("acme"), Some("ws-1"))));
    }

    #[test]
    fn memberships_and_grants_of_one_organization_add_up() {
        let v = caller(serde_json::json!({"sub": "u", "role": "user",
            "organizations": [{"id": "acme", "workspaces": ["ws-1"]}, {"id": "acme", "workspaces": ["ws-2"]}],
            "workspaces": [{"organization_id": "acme", "id": "ws-3"}]}))
        .visibility();
        for ws in ["ws-1", "ws-2", "ws-3"] {
            assert!(v.allows(&entry("x", "Workspace", Some("acme"), Some(ws))), "{ws}");
        }
        assert!(!v.allows(&entry("x", "Workspace", Some("acme"), Some("ws-4"))));
    }

    #[test]
    fn a_service_records_where_it_may_and_reads_nothing() {
        let anywhere = caller(serde_json::json!({"sub": "s", "role": "service"}));
        let acme = caller(
            serde_json::json!({"sub": "s", "role": "service", "organizations": [{"id": "acme"}]}),
        );
        let (a, b) = ("acme".parse().unwrap(), "umbrella".parse().unwrap());
        assert!(anywhere.may_record_into(None) && anywhere.may_record_into(Some(&b)));
        assert!(acme.may_record_into(Some(&a)));
        assert!(!acme.may_record_into(Some(&b)) && !acme.may_record_into(None));
        assert!(!acme.visibility().allows(&entry("s", "Users", Some("acme"), None)));
        let nowhere =
            caller(serde_json::json!({"sub": "s", "role": "service", "organizations": []}));
        assert!(!nowhere.may_record_into(Some(&a)) && !nowhere.may_record_into(None));
        let admin = caller(serde_json::json!({"sub": "a", "role": "admin"}));
        assert!(!admin.may_record_into(Some(&a)));
    }
}
