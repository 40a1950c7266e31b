//! The names of what has been on screen, so that people can filter by a name and not only by an
//! identifier.

use std::collections::BTreeMap;

use activity_logs_model::ServedEntry;

/// What a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// A user.
    User,
    /// A workspace.
    Workspace,
    /// An organization.
    Organization,
}

impl Named {
    /// What a filter's parameter names, if it names one of these.
    pub(crate) fn of_parameter(parameter: &str) -> Option<Self> {
        match parameter {
            "user_id" => Some(Named::User),
            "workspace_id" => Some(Named::Workspace),
            "organization_id" => Some(Named::Organization),
            _ => None,
        }
    }
}

/// The newest name of each identifier that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names(BTreeMap<(Named, String), String>);

impl Names {
    /// Remembers the names in entries, which are newest first; gives whether any was news.
    pub(crate) fn learn(&mut self, entries: &[ServedEntry]) -> bool {
        let before = self.0.clone();
        for entry in entries.iter().rev() {
            let mut learn = |named, id: &str, name: &str| {
                self.0.insert((named, id.to_owned()), name.to_owned());
            };
            learn(Named::User, entry.user.id.as_str(), &entry.user.name);
            if let Some(workspace) = &entry.workspace {
                learn(Named::Workspace, workspace.id.as_str(), &workspace.name);
            }
            if let Some(organization) = &entry.organization {
                learn(Named::Organization, organization.id.as_str(), &organization.name);
            }
        }
        self.0 != before
    }

    /// The identifiers and names that are known.
    pub(crate) fn all(&self, named: Named) -> impl Iterator<Item = (&str, &str)> {
        let of_kind = self.0.iter().filter(move |((kind, _), _)| *kind == named);
        of_kind.map(|((_, id), name)| (id.as_str(), name.as_str()))
    }

    /// The name of an identifier.
    pub(crate) fn name(&self, named: Named, id: &str) -> Option<&str> {
        self.0.get(&(named, id.to_owned())).map(String::as_str)
    }

    /// The identifiers that a typed text means: itself, where it is one that is known, or all
    /// that have it as their name, whatever its case.
    pub(crate) fn meant(&self, named: Named, text: &str) -> Vec<String> {
        if self.name(named, text).is_some() {
            return vec![text.to_owned()];
        }
        let folded = text.to_lowercase();
        let same = self.all(named).filter(|(_, name)| name.to_lowercase() == folded);
        same.map(|(id, _)| id.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(known: &[(Named, &str, &str)]) -> Names {
        let known =
            known.iter().map(|(named, id, name)| ((*named, (*id).to_owned()), (*name).to_owned()));
        Names(known.collect())
    }

    #[test]
    fn a_name_means_everybody_who_has_it() {
        let names = names(&[
            (Named::User, "ada", "Ada Abara"),
            (Named::User, "ada-2", "ada abara"),
            (Named::User, "ben", "ada"),
            (Named::Workspace, "ws", "Ada Abara"),
        ]);
        assert_eq!(names.meant(Named::User, "ADA ABARA"), ["ada", "ada-2"]);
        assert_eq!(names.meant(Named::User, "ada"), ["ada"], "an identifier comes first");
        assert_eq!(names.meant(Named::Workspace, "Ada Abara"), ["ws"]);
        assert!(names.meant(Named::Organization, "Ada Abara").is_empty());
    }

    #[test]
    fn the_newest_name_is_kept() {
        let entry = |name: &str| {
            let json = format!(
                r#"{{"id":"0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11","sequence":0,"position":1,
                "occurred_at":"2026-01-01T00:00:00Z","recorded_at":"2026-01-01T00:00:00Z","type":"Users",
                "action":"Fetch","outcome":"success","user":{{"id":"ada","name":"{name}"}},"organization":null,
                "workspace":null,"identifier":"x","old_value":null,"new_value":null,"context":{{}}}}"#
            );
            serde_json::from_str::<ServedEntry>(&json).unwrap()
        };
        let mut names = Names::default();
        let entries = [entry("Ada Newname"), entry("Ada Oldname")];
        assert!(names.learn(&entries) && !names.learn(&entries));
        assert_eq!(names.name(Named::User, "ada"), Some("Ada Newname"));
        assert_eq!(names.all(Named::User).count(), 1);
    }
}
