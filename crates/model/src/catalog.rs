//! The catalog: which types of resource there are, which actions each has, and what an
//! action says about the values before and after.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::checked_text;
use crate::wire::{ActivityAction, ActivityType, ActivityTypes};

const BUILT_IN: &str = include_str!("catalog.toml");
const MAX_TOKEN_LENGTH: usize = 64;

/// A text that is no catalog token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a PascalCase token of 1 to 64 ASCII letters and digits")]
pub struct InvalidToken;

fn is_token(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.len() <= MAX_TOKEN_LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(feature = "openapi")]
fn token_schema(example: &str) -> utoipa::openapi::ObjectBuilder {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .pattern(Some("^[A-Z][A-Za-z0-9]{0,63}$"))
        .examples([example])
}

checked_text!(
    /// What kind of resource was acted on.
    Type: is_token, InvalidToken, token_schema("Workspace")
);
checked_text!(
    /// Which operation was done to it.
    Action: is_token, InvalidToken, token_schema("Update")
);

impl Type {
    /// What people read: the token's words, "AdminUsers" as "Admin Users".
    pub fn label(&self) -> String {
        words(self.as_str())
    }

    /// How the tokens of administrative types begin.
    pub const ADMINISTRATIVE_PREFIX: &'static str = "Admin";

    /// The token under which the log records its own reading.
    pub const ACTIVITY_LOGS: &'static str = "ActivityLogs";

    /// The type under which the log records its own reading.
    pub fn activity_logs() -> Self {
        Self(Self::ACTIVITY_LOGS.to_owned())
    }

    /// The type of acts on whole organizations and accounts.
    pub fn admin_accounts() -> Self {
        Self("AdminAccounts".to_owned())
    }

    /// Whether only administrators see entries of this type (and whoever did them). It goes
    /// by the token alone, so that entries stay hidden when a type leaves the catalog.
    pub fn is_administrative(&self) -> bool {
        self.0.starts_with(Self::ADMINISTRATIVE_PREFIX)
    }
}

impl Action {
    /// What people read: the token's words, "FetchAll" as "Fetch All".
    pub fn label(&self) -> String {
        words(self.as_str())
    }

    /// Something was made.
    pub fn create() -> Self {
        Self("Create".to_owned())
    }

    /// One resource was read.
    pub fn fetch() -> Self {
        Self("Fetch".to_owned())
    }

    /// A list of resources was read.
    pub fn fetch_all() -> Self {
        Self("FetchAll".to_owned())
    }

    /// A resource was removed.
    pub fn delete() -> Self {
        Self("Delete".to_owned())
    }
}

/// What an action says about `old_value` and `new_value`.
///
/// * `none`, a read: both must be missing.
/// * `create`: `old_value` must be missing, `new_value` is the whole initial state.
/// * `change`: at least one of the two is needed.
/// * `remove`: `old_value` is the state before; `new_value` is missing or a confirmation.
/// * `any`: either may be there.
///
/// What is *needed* holds for `success` only: an attempt that was denied or failed may
/// have neither state to show. What must be missing must always be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ValueRule {
    /// A read: both empty.
    None,
    /// Something came to be: old empty, new is the whole initial state.
    Create,
    /// Something changed: at least one of the two.
    Change,
    /// Something ended: old is the state before, new is empty or a confirmation.
    Remove,
    /// Either may be given.
    Any,
}

/// All types and actions that entries may have.
#[derive(Debug, Clone)]
pub struct Catalog {
    types: Vec<(Type, Vec<Action>)>,
    actions: BTreeMap<Action, ValueRule>,
}

/// Why a catalog file can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCatalog {
    /// It is no TOML of the catalog's form.
    #[error("the catalog file is malformed: {0}")]
    Malformed(#[from] toml::de::Error),
    /// A type names an action that is defined nowhere.
    #[error("the type {0} has the action {1}, which is defined nowhere; add it under [actions]")]
    UndefinedAction(Type, Action),
    /// An action is defined again with another rule.
    #[error("the action {0} is built in with another rule for its values")]
    RedefinedAction(Action),
    /// The log's own type can't be extended: only the service records it.
    #[error("the type ActivityLogs belongs to the service and can't be extended")]
    Reserved,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    #[serde(default)]
    actions: BTreeMap<Action, ValueRule>,
    #[serde(default)]
    types: toml::map::Map<String, toml::Value>,
}

impl Catalog {
    /// The catalog that is compiled in.
    pub fn built_in() -> Self {
        let mut catalog = Self { types: Vec::new(), actions: BTreeMap::new() };
        catalog.add(BUILT_IN).expect("the built-in catalog is tested");
        catalog
    }

    /// The built-in catalog with an operator's types and actions added. The text is TOML:
    /// `[actions]` maps each new action to its rule (`none`, `create`, `change`, `remove`,
    /// `any`), `[types]` maps new or existing types to the actions they (also) have.
    ///
    /// # Errors
    /// [`InvalidCatalog`] says what is wrong with the file.
    pub fn with_additions(text: &str) -> Result<Self, InvalidCatalog> {
        let mut catalog = Self::built_in();
        catalog.add(text)?;
        Ok(catalog)
    }

    fn add(&mut self, text: &str) -> Result<(), InvalidCatalog> {
        let file: CatalogFile = toml::from_str(text)?;
        for (action, rule) in file.actions {
            match self.actions.get(&action) {
                Some(known) if *known != rule => {
                    return Err(InvalidCatalog::RedefinedAction(action));
                }
                _ => self.actions.insert(action, rule),
            };
        }
        for (name, actions) in file.types {
            let kind =
                Type::try_from(name).map_err(<toml::de::Error as serde::de::Error>::custom)?;
            let added: Vec<Action> = actions.try_into()?;
            if let Some(unknown) = added.iter().find(|a| !self.actions.contains_key(*a)) {
                return Err(InvalidCatalog::UndefinedAction(kind, unknown.clone()));
            }
            match self.types.iter_mut().find(|(known, _)| *known == kind) {
                Some(_) if kind == Type::activity_logs() => return Err(InvalidCatalog::Reserved),
                Some((_, actions)) => {
                    for action in added {
                        if !actions.contains(&action) {
                            actions.push(action);
                        }
                    }
                }
                None => self.types.push((kind, added)),
            }
        }
        Ok(())
    }

    /// The types with their actions, built-in ones first.
    pub fn types(&self) -> impl Iterator<Item = (&Type, &[Action])> {
        self.types.iter().map(|(kind, actions)| (kind, actions.as_slice()))
    }

    /// The type with this token, if the catalog has it.
    pub fn find_type(&self, token: &str) -> Option<&Type> {
        self.types.iter().map(|(kind, _)| kind).find(|kind| kind.as_str() == token)
    }

    /// The action with this token, if any type has it.
    pub fn find_action(&self, token: &str) -> Option<&Action> {
        self.actions.keys().find(|action| action.as_str() == token)
    }

    /// The rule for the values of this action on this type; `None` where the type has no
    /// such action.
    pub fn rule(&self, kind: &Type, action: &Action) -> Option<ValueRule> {
        let (_, actions) = self.types.iter().find(|(known, _)| known == kind)?;
        actions.contains(action).then(|| self.actions[action])
    }

    /// The catalog as a client got it from the API.
    pub fn from_wire(wire: &ActivityTypes) -> Self {
        let mut actions = BTreeMap::new();
        let types = wire.types.iter().map(|kind| {
            let tokens = kind.actions.iter().map(|action| {
                actions.insert(action.action.clone(), action.values);
                action.action.clone()
            });
            (kind.kind.clone(), tokens.collect())
        });
        Self { types: types.collect(), actions }
    }

    /// The catalog as the API serves it.
    pub fn to_wire(&self) -> ActivityTypes {
        let types = self.types().map(|(kind, actions)| ActivityType {
            label: kind.label(),
            recordable: *kind != Type::activity_logs(),
            actions: actions
                .iter()
                .map(|action| ActivityAction {
                    label: action.label(),
                    values: self.actions[action],
                    action: action.clone(),
                })
                .collect(),
            kind: kind.clone(),
        });
        ActivityTypes { types: types.collect() }
    }
}

fn words(token: &str) -> String {
    let mut label = String::with_capacity(token.len() + 4);
    let mut previous_lower = false;
    for c in token.chars() {
        if c.is_ascii_uppercase() && previous_lower {
            label.push(' ');
        }
        previous_lower = !c.is_ascii_uppercase();
        label.push(c);
    }
    label
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn token<T: FromStr<Err = InvalidToken>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn the_built_in_catalog_is_the_specified_one() {
        let catalog = Catalog::built_in();
        let listed: Vec<_> = catalog.types().map(|(t, a)| (t.as_str(), a.len())).collect();
        assert_eq!(
            listed,
            [
                ("Workspace", 11),
                ("Users", 5),
                ("Organization", 4),
                ("Plans", 3),
                ("Invitations", 1),
                ("Invoices", 3),
                ("Payments", 2),
                ("Subscriptions", 3),
                ("AdminUpdates", 5),
                ("AdminUsers", 5),
                ("AdminRoles", 5),
                ("AdminRolePermissions", 5),
                ("AdminAccounts", 5),
                ("ActivityLogs", 3),
            ]
        );
        let rule = |t: &str, a: &str| catalog.rule(&token(t), &token(a));
        assert_eq!(rule("Workspace", "Status"), Some(ValueRule::None));
        assert_eq!(rule("Workspace", "Upgrade"), Some(ValueRule::Change));
        assert_eq!(rule("Workspace", "Terminate"), Some(ValueRule::Remove));
        assert_eq!(rule("Invitations", "Response"), Some(ValueRule::Any));
        assert_eq!(rule("Invitations", "Create"), None);
    }

    #[test]
    fn a_client_gets_the_same_catalog() {
        let catalog = Catalog::built_in();
        let wire = catalog.to_wire();
        let got = Catalog::from_wire(&wire);
        assert_eq!(got.to_wire(), wire);
        let (status, workspace) = (token("Status"), token("Workspace"));
        assert_eq!(got.rule(&workspace, &status), Some(ValueRule::None));
    }

    #[test]
    fn labels_are_words() {
        assert_eq!(token::<Action>("FetchAll").label(), "Fetch All");
        assert_eq!(token::<Type>("AdminRolePermissions").label(), "Admin Role Permissions");
        assert_eq!(token::<Type>("DNSZone").label(), "DNSZone");
        assert_eq!(Type::activity_logs().label(), "Activity Logs");
    }

    #[test]
    fn an_operator_adds_types_and_actions() {
        let catalog = Catalog::with_additions(
            "[actions]\nCalibrate = \"change\"\n[types]\nRobots = [\"Create\", \"Calibrate\"]\nUsers = [\"Calibrate\"]\n",
        )
        .unwrap();
        assert_eq!(catalog.rule(&token("Robots"), &token("Calibrate")), Some(ValueRule::Change));
        assert_eq!(catalog.rule(&token("Users"), &token("Calibrate")), Some(ValueRule::Change));
        assert_eq!(catalog.rule(&token("Users"), &token("Create")), Some(ValueRule::Create));
    }

    #[test]
    fn a_wrong_file_says_what_is_wrong() {
        for (text, says) in [
            ("[types]\nRobots = [\"Fly\"]", "defined nowhere"),
            ("[actions]\nCreate = \"none\"", "another rule"),
            ("[types]\nActivityLogs = [\"Delete\"]", "belongs to the service"),
            ("[types]\nrobots = []", "PascalCase"),
            ("[actions]\nFly = \"sometimes\"", "unknown variant"),
            ("[kinds]", "unknown field"),
        ] {
            let error = Catalog::with_additions(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }
}
