//! Reading the claims of a token strictly: what is wrong with them is said in plain words, and a
//! value of another kind than the one that is meant is refused rather than understood somehow.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::visibility::{Claims, GrantClaim, MembershipClaim, Role};

type Member<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
struct RawClaims<'a> {
    #[serde(borrow)]
    sub: Member<'a>,
    #[serde(borrow)]
    name: Member<'a>,
    #[serde(borrow)]
    email: Member<'a>,
    #[serde(borrow)]
    role: Member<'a>,
    #[serde(borrow)]
    organizations: Member<'a>,
    #[serde(borrow)]
    workspaces: Member<'a>,
}

#[derive(Deserialize)]
struct RawMembership<'a> {
    #[serde(borrow)]
    id: Member<'a>,
    #[serde(borrow)]
    name: Member<'a>,
    #[serde(borrow)]
    workspaces: Member<'a>,
}

#[derive(Deserialize)]
struct RawGrant<'a> {
    #[serde(borrow)]
    organization_id: Member<'a>,
    #[serde(borrow)]
    id: Member<'a>,
}

impl TryFrom<Box<RawValue>> for Claims {
    type Error = String;

    fn try_from(claims: Box<RawValue>) -> Result<Self, String> {
        let raw: RawClaims<'_> = object(&claims, "the set of claims")?;
        Ok(Self {
            sub: id(raw.sub, "the claim `sub`")?,
            name: raw.name.map(|name| text(name, "the claim `name`")).transpose()?,
            email: raw.email.map(|email| text(email, "the claim `email`")).transpose()?,
            role: role(raw.role)?,
            organizations: list(raw.organizations, "the claim `organizations`", membership)?,
            workspaces: list(raw.workspaces, "the claim `workspaces`", grant)?.unwrap_or_default(),
        })
    }
}

fn role(raw: Member<'_>) -> Result<Role, String> {
    match text(raw.ok_or("the claim `role` is missing")?, "the claim `role`")?.as_str() {
        "admin" => Ok(Role::Admin),
        "user" => Ok(Role::User),
        "service" => Ok(Role::Service),
        _ => Err("the claim `role` must be `admin`, `user` or `service`".to_owned()),
    }
}

fn membership(raw: &RawValue, what: &str) -> Result<MembershipClaim, String> {
    let raw: RawMembership<'_> = object(raw, what)?;
    Ok(MembershipClaim {
        id: id(raw.id, &format!("`id` of {what}"))?,
        name: raw.name.map(|name| text(name, &format!("`name` of {what}"))).transpose()?,
        workspaces: list(raw.workspaces, &format!("`workspaces` of {what}"), |raw, what| {
            id(Some(raw), what)
        })?,
    })
}

fn grant(raw: &RawValue, what: &str) -> Result<GrantClaim, String> {
    let raw: RawGrant<'_> = object(raw, what)?;
    Ok(GrantClaim {
        organization_id: id(raw.organization_id, &format!("`organization_id` of {what}"))?,
        id: id(raw.id, &format!("`id` of {what}"))?,
    })
}

fn object<'a, T: Deserialize<'a>>(raw: &'a RawValue, what: &str) -> Result<T, String> {
    // serde would take a list for an object, its items for the members in their order.
    if !raw.get().starts_with('{') {
        return Err(format!("{what} must be an object"));
    }
    serde_json::from_str(raw.get()).map_err(|_| format!("{what} has a member twice"))
}

fn list<T>(
    raw: Member<'_>,
    what: &str,
    item: impl Fn(&RawValue, &str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let items: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| format!("{what} must be a list"))?;
    let read =
        |(number, raw): (usize, &&RawValue)| item(raw, &format!("item {} of {what}", number + 1));
    items.iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
}

fn id<T: std::str::FromStr<Err: std::fmt::Display>>(
    raw: Member<'_>,
    what: &str,
) -> Result<T, String> {
    let raw = raw.ok_or_else(|| format!("{what} is missing"))?;
    text(raw, what)?.parse().map_err(|why| format!("{what} {why}"))
}

fn text(raw: &RawValue, what: &str) -> Result<String, String> {
    serde_json::from_str(raw.get()).map_err(|_| format!("{what} must be a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(claims: &str) -> Result<Claims, String> {
        Claims::try_from(RawValue::from_string(claims.to_owned()).unwrap())
    }

    #[test]
    fn a_claim_of_another_kind_is_refused_in_plain_words() {
        for (claims, says) in [
            (r#"["u",null,null,"admin"]"#, "the set of claims must be an object"),
            (r#"{"role":"user"}"#, "the claim `sub` is missing"),
            (r#"{"sub":null,"role":"user"}"#, "the claim `sub` is missing"),
            (r#"{"sub":7,"role":"user"}"#, "the claim `sub` must be a text"),
            (r#"{"sub":"","role":"user"}"#, "the claim `sub` must be 1 to"),
            (r#"{"sub":"u"}"#, "the claim `role` is missing"),
            (r#"{"sub":"u","role":{"admin":null}}"#, "the claim `role` must be a text"),
            (r#"{"sub":"u","role":["admin"]}"#, "the claim `role` must be a text"),
            (
                r#"{"sub":"u","role":"root"}"#,
                "the claim `role` must be `admin`, `user` or `service`",
            ),
            (
                r#"{"sub":"u","role":"user","r\u006fle":"admin"}"#,
                "the set of claims has a member twice",
            ),
            (r#"{"sub":"u","role":"user","name":["U"]}"#, "the claim `name` must be a text"),
            (r#"{"sub":"u","role":"user","email":{}}"#, "the claim `email` must be a text"),
            (
                r#"{"sub":"u","role":"user","organizations":"acme"}"#,
                "the claim `organizations` must be a list",
            ),
            (
                r#"{"sub":"u","role":"user","organizations":{"id":"acme"}}"#,
                "the claim `organizations` must be a list",
            ),
            (
                r#"{"sub":"u","role":"user","organizations":[{"id":"a"},["acme",null,["ws-1"]]]}"#,
                "item 2 of the claim `organizations` must be an object",
            ),
            (
                r#"{"sub":"u","role":"user","organizations":[{"id":"a","id":"b"}]}"#,
                "item 1 of the claim `organizations` has a member twice",
            ),
            (
                r#"{"sub":"u","role":"user","organizations":[{"name":"A"}]}"#,
                "`id` of item 1 of the claim `organizations` is missing",
            ),
            (
                r#"{"sub":"u","role":"user","organizations":[{"id":"a","workspaces":"ws-1"}]}"#,
                "`workspaces` of item 1 of the claim `organizations` must be a list",
            ),
            (
                r#"{"sub":"u","role":"user","organizations":[{"id":"a","workspaces":[null]}]}"#,
                "item 1 of `workspaces` of item 1 of the claim `organizations` must be a text",
            ),
            (
                r#"{"sub":"u","role":"user","workspaces":[["acme","ws-1"]]}"#,
                "item 1 of the claim `workspaces` must be an object",
            ),
            (
                r#"{"sub":"u","role":"user","workspaces":[{"organization_id":"acme"}]}"#,
                "`id` of item 1 of the claim `workspaces` is missing",
            ),
        ] {
            let refused = read(claims).expect_err(claims);
            assert!(refused.starts_with(says), "{claims}: {refused}");
        }
    }

    #[test]
    fn null_is_missing_an_empty_list_is_not_and_other_claims_are_ignored() {
        let claims = read(
            r#" {"sub":"u","role":"user","name":null,"organizations":null,"scope":1e400,"role_name":[]} "#,
        );
        let claims = claims.unwrap();
        assert_eq!((claims.name, claims.organizations), (None, None));
        let claims = read(r#"{"sub":"u","role":"user","organizations":[],"workspaces":null}"#);
        let claims = claims.unwrap();
        assert_eq!((claims.organizations, claims.workspaces), (Some(Vec::new()), Vec::new()));
    }
}
