//! Minting tokens with the configured secret.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use activity_logs_model::visibility::{GrantClaim, MembershipClaim};
use activity_logs_model::{Claims, OrganizationId, WorkspaceId};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::auth::Secret;

#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: u64,
    exp: u64,
}

/// Signs claims (HS256).
///
/// # Errors
/// When the claims can't be written as JSON.
pub(crate) fn mint(
    secret: &Secret,
    claims: &Claims,
    issuer: Option<&str>,
    audience: Option<&str>,
    lifetime: Duration,
) -> anyhow::Result<String> {
    let iat = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let issued = Issued { claims, iss: issuer, aud: audience, iat, exp: iat + lifetime.as_secs() };
    Ok(encode(
        &Header::new(Algorithm::HS256),
        &issued,
        &EncodingKey::from_secret(secret.as_bytes()),
    )?)
}

/// `ID` or `ID=NAME`.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationArgument {
    id: OrganizationId,
    name: Option<String>,
}

impl std::str::FromStr for OrganizationArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (id, name) = match text.split_once('=') {
            Some((id, name)) => (id, Some(name.to_owned())),
            None => (text, None),
        };
        let id = id.parse().map_err(|why| format!("the organization's id {why}"))?;
        Ok(Self { id, name })
    }
}

/// `ORGANIZATION/WORKSPACE`.
#[derive(Debug, Clone)]
pub(crate) struct WorkspaceArgument {
    organization: OrganizationId,
    workspace: WorkspaceId,
}

impl std::str::FromStr for WorkspaceArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (organization, workspace) =
            text.split_once('/').ok_or("must be ORGANIZATION/WORKSPACE")?;
        Ok(Self {
            organization: organization
                .parse()
                .map_err(|why| format!("the organization's id {why}"))?,
            workspace: workspace.parse().map_err(|why| format!("the workspace's id {why}"))?,
        })
    }
}

/// Memberships and grants from arguments: a workspace of an organization that is named too
/// restricts that membership, one of another organization is a grant of its own.
pub(crate) fn memberships(
    organizations: Vec<OrganizationArgument>,
    workspaces: Vec<WorkspaceArgument>,
) -> (Vec<MembershipClaim>, Vec<GrantClaim>) {
    let mut by_organization: BTreeMap<OrganizationId, Vec<WorkspaceId>> = BTreeMap::new();
    for WorkspaceArgument { organization, workspace } in workspaces {
        by_organization.entry(organization).or_default().push(workspace);
    }
    let member = |argument: OrganizationArgument| MembershipClaim {
        workspaces: by_organization.remove(&argument.id),
        id: argument.id,
        name: argument.name,
    };
    let members = organizations.into_iter().map(member).collect();
    let grant = |(organization_id, ids): (OrganizationId, Vec<WorkspaceId>)| {
        ids.into_iter().map(move |id| GrantClaim { organization_id: organization_id.clone(), id })
    };
    (members, by_organization.into_iter().flat_map(grant).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_restrict_memberships_or_grant() {
        let organizations = vec!["acme=Acme".parse().unwrap(), "umbrella".parse().unwrap()];
        let workspaces = vec!["acme/ws-1".parse().unwrap(), "other/ws-9".parse().unwrap()];
        let (members, grants) = memberships(organizations, workspaces);
        assert_eq!(members[0].workspaces.as_deref(), Some(&["ws-1".parse().unwrap()][..]));
        assert_eq!((members[0].name.as_deref(), &members[1].workspaces), (Some("Acme"), &None));
        assert_eq!((grants[0].organization_id.as_str(), grants[0].id.as_str()), ("other", "ws-9"));
    }
}
