//! Which entries: the SQL readings of scope and visibility. One text, compiled once
//! for each database like the module `log`.

use activity_logs_model::visibility::Reach;
use activity_logs_model::{Type, Visibility};
use sqlx::QueryBuilder;

use super::Db;
use crate::backend::Scope;

pub(super) fn push_in<T>(query: &mut QueryBuilder<Db>, values: impl IntoIterator<Item = T>)
where
    T: AsRef<str>,
{
    query.push(" IN (");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value.as_ref().to_owned());
    }
    query.push(")");
}

fn push_some(query: &mut QueryBuilder<Db>, condition: &str, values: Vec<&str>) {
    if !values.is_empty() {
        query.push(condition);
        push_in(query, values);
    }
}

/// The SQL reading of [`Visibility`]: must hold exactly where `Visibility::allows` does.
pub(super) fn push_visibility(
    query: &mut QueryBuilder<Db>,
    visibility: &Visibility,
    scope: Scope<'_>,
) {
    let (user, reach) = match visibility {
        Visibility::Everything => return,
        Visibility::Nothing => {
            query.push(" AND 1 = 0");
            return;
        }
        Visibility::Reader { user, reach } => (user, reach),
    };
    query.push(" AND (user_id = ").push_bind(user.to_string());
    let reach: Vec<_> = reach
        .iter()
        .filter(|(id, _)| match scope {
            Scope::Everything => true,
            Scope::Organization(organization) => *id == organization,
        })
        .collect();
    if !reach.is_empty() {
        query.push(format_args!(
            " OR (substr(type, 1, {}) <> '{}' AND (1 = 0",
            Type::ADMINISTRATIVE_PREFIX.len(),
            Type::ADMINISTRATIVE_PREFIX
        ));
        // Three flat lists, however many organizations there are: SQLite bounds the depth of
        // an expression, and a chain of ORs is as deep as it is long.
        let whole =
            reach.iter().filter(|(_, reach)| **reach == Reach::Whole).map(|(id, _)| id.as_str());
        push_some(query, " OR organization_id", whole.collect());
        let parts = || {
            reach.iter().filter_map(|(id, reach)| match reach {
                Reach::Whole => None,
                Reach::Part { without_workspace, workspaces } => {
                    Some((id.as_str(), *without_workspace, workspaces))
                }
            })
        };
        let members =
            parts().filter(|(_, without_workspace, _)| *without_workspace).map(|(id, ..)| id);
        push_some(query, " OR workspace_id IS NULL AND organization_id", members.collect());
        let pairs: Vec<_> = parts()
            .flat_map(|(id, _, workspaces)| workspaces.iter().map(move |workspace| (id, workspace)))
            .collect();
        if !pairs.is_empty() {
            query.push(" OR (organization_id, workspace_id) IN (");
            query.push_values(pairs, |mut row, (organization, workspace)| {
                row.push_bind(organization.to_owned()).push_bind(workspace.to_string());
            });
            query.push(")");
        }
        query.push("))");
    }
    query.push(")");
}

pub(super) fn push_scope(query: &mut QueryBuilder<Db>, scope: Scope<'_>) {
    if let Scope::Organization(id) = scope {
        query.push(" AND organization_id = ").push_bind(id.to_string());
    }
}
