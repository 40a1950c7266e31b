//! Minting tokens with the configured secret.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use activity_logs_model::percent;
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
    let issued = Issued {
        claims,
        iss: issuer,
        aud: audience,
        iat,
        exp: iat.saturating_add(lifetime.as_secs()),
    };
    Ok(encode(
        &Header::new(Algorithm::HS256),
        &issued,
        &EncodingKey::from_secret(secret.as_bytes()),
    )?)
}

/// `ID` or `ID=NAME`, both percent-encoded where they have a `%`, a comma or (the id) a `=`.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationArgument {
    id: OrganizationId,
    name: Option<String>,
}

impl FromStr for OrganizationArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (id, name) = match text.split_once('=') {
            Some((id, name)) => (id, Some(name)),
            None => (text, None),
        };
        let name = name.map(percent::decode).transpose();
        let name = name.map_err(|why| format!("the organization's name {why}"))?;
        Ok(Self { id: decode_id(id, "organization")?, name })
    }
}

/// `ORGANIZATION/WORKSPACE`, both percent-encoded where they have a `%`, a slash or a comma.
#[derive(Debug, Clone)]
pub(crate) struct WorkspaceArgument {
    organization: OrganizationId,
    workspace: WorkspaceId,
}

impl FromStr for WorkspaceArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let [organization, workspace] = parts[..] else {
            return Err(
                "must be ORGANIZATION/WORKSPACE; a slash within an id is written %2F".into()
            );
        };
        Ok(Self {
            organization: decode_id(organization, "organization")?,
            workspace: decode_id(workspace, "workspace")?,
        })
    }
}

fn decode_id<T: FromStr<Err: Display>>(text: &str, whose: &str) -> Result<T, String> {
    let id = percent::decode(text).map_err(|why| format!("the {whose}'s id {why}"))?;
    id.parse().map_err(|why| format!("the {whose}'s id {why}"))
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

    #[test]
    fn ids_with_separators_are_percent_encoded() {
        let organization: OrganizationArgument =
            "cn%3DAda%2Cou%3DEng=A = B%2C 100%25".parse().unwrap();
        assert_eq!(organization.id.as_str(), "cn=Ada,ou=Eng");
        assert_eq!(organization.name.as_deref(), Some("A = B, 100%"));
        let workspace: WorkspaceArgument = "a%2Fb/auth0|x%2Fy".parse().unwrap();
        assert_eq!(workspace.organization.as_str(), "a/b");
        assert_eq!(workspace.workspace.as_str(), "auth0|x/y");
        for (wrong, says) in [
            ("a/b/c", "%2F"),
            ("acme", "ORGANIZATION/WORKSPACE"),
            ("acme/%20x", "the workspace's id must be 1 to 255 bytes"),
            ("ac%me/x", "the organization's id must be percent-encoded"),
        ] {
            let error = wrong.parse::<WorkspaceArgument>().unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
        assert!(
            "acme=100%"
                .parse::<OrganizationArgument>()
                .unwrap_err()
                .contains("name must be percent")
        );
    }
}
