//! Addresses of the app: where an organization's pages are, and the address of a list, which is
//! its state: its filters, its page and the entry that is open.

use activity_logs_model::paging::{ListingParameters, Scope};
use activity_logs_model::percent;
use activity_logs_model::{AsOf, Catalog, Filter, PageSize, Problem};

const ORGANIZATIONS: &str = "/organizations/";

/// The path of an organization's dashboard.
pub(crate) fn dashboard_path(organization: &str) -> String {
    format!("{ORGANIZATIONS}{}", percent::encode(organization))
}

/// The path of an organization's log.
pub(crate) fn log_path(organization: &str) -> String {
    format!("{}/activity-logs", dashboard_path(organization))
}

/// The organization whose page has this path.
pub(crate) fn organization_of(path: &str) -> Option<String> {
    let segment = path.strip_prefix(ORGANIZATIONS)?.split('/').next()?;
    // As the router reads it: what is not encoded stands for itself.
    let id = percent::decode(segment).unwrap_or_else(|_| segment.to_owned());
    Some(id).filter(|id| !id.is_empty())
}

/// What the address of a list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListState {
    /// Which listing and page.
    pub(crate) parameters: ListingParameters,
    /// The entry that is open.
    pub(crate) entry: Option<String>,
}

const ENTRY: &str = "entry=";

impl ListState {
    /// Reads the query of an address; `page_size` stands in where it says none.
    pub(crate) fn parse(
        query: &str,
        scope: Scope,
        catalog: &Catalog,
        page_size: PageSize,
    ) -> Result<Self, Problem> {
        let query = query.trim_start_matches('?');
        let (entries, rest): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .filter(|part| !part.is_empty())
            .partition(|part| part.starts_with(ENTRY));
        let mut parameters = ListingParameters::parse(&rest.join("&"), scope, catalog)?;
        if !rest.iter().any(|part| part.starts_with("page_size=")) {
            parameters.page_size = page_size;
        }
        let entry = entries.first().map(|part| part[ENTRY.len()..].to_owned());
        Ok(Self { parameters, entry })
    }

    /// The first page of everything.
    pub(crate) fn everything(page_size: PageSize) -> Self {
        let filter = Filter::default();
        Self {
            parameters: ListingParameters { filter, page: 1, page_size, as_of: None },
            entry: None,
        }
    }

    /// The query of the address that says this.
    pub(crate) fn to_query(&self) -> String {
        let mut query = self.parameters.to_query();
        if let Some(entry) = &self.entry {
            query.push('&');
            query.push_str(ENTRY);
            query.push_str(entry);
        }
        query
    }

    /// Another page of the same listing, pinned to where it looks.
    pub(crate) fn page(&self, page: u64, as_of: AsOf) -> Self {
        let parameters = ListingParameters { page, as_of: Some(as_of), ..self.parameters.clone() };
        Self { parameters, entry: None }
    }

    /// The first page of another listing: what is changed, looked at from now.
    pub(crate) fn changed(&self, change: impl Fn(&mut ListingParameters)) -> Self {
        let mut parameters = ListingParameters { page: 1, as_of: None, ..self.parameters.clone() };
        change(&mut parameters);
        Self { parameters, entry: None }
    }

    /// The same page with another entry open, or none.
    pub(crate) fn open(&self, entry: Option<String>, as_of: AsOf) -> Self {
        let parameters = ListingParameters { as_of: Some(as_of), ..self.parameters.clone() };
        Self { parameters, entry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AS_OF: &str = "kq3mTz0cT4mJxk9vL1bq2w";

    fn parse(query: &str) -> ListState {
        ListState::parse(query, Scope::Global, &Catalog::built_in(), PageSize::Fifty).unwrap()
    }

    #[test]
    fn paths_lead_to_organizations_of_any_id() {
        for id in ["acme", "auth0|64f1", "a/b\\c", "a%2Fb", "cn=Ada,ou=Eng", "?x#y", "ä b"] {
            assert_eq!(organization_of(&dashboard_path(id)).as_deref(), Some(id));
            assert_eq!(organization_of(&log_path(id)).as_deref(), Some(id));
            assert_eq!(log_path(id).matches('/').count(), 3, "{id}");
        }
        assert_eq!(dashboard_path("a:b@c.d"), "/organizations/a:b@c.d");
        assert_eq!(organization_of("/organizations/a%b").as_deref(), Some("a%b"));
        assert_eq!(organization_of("/organizations/"), None);
        assert_eq!(organization_of("/activity-logs"), None);
    }

    #[test]
    fn an_address_is_read_and_written_back() {
        let query = "type=Users&page=3&page_size=25&as_of=kq3mTz0cT4mJxk9vL1bq2w&entry=0198b1e0-5c1e-7a33-9a0e-3f6f5d2f8a11";
        assert_eq!(parse(&format!("?{query}")).to_query(), query);
        assert_eq!(parse("").to_query(), "page=1&page_size=50", "the remembered size");
    }

    #[test]
    fn pages_stay_pinned_and_filters_look_anew() {
        let state = parse(&format!("type=Users&page=3&as_of={AS_OF}"));
        let as_of: AsOf = AS_OF.parse().unwrap();
        assert_eq!(
            state.page(4, as_of.clone()).to_query(),
            format!("type=Users&page=4&page_size=50&as_of={AS_OF}")
        );
        let unfiltered = state.changed(|parameters| parameters.filter.types.clear());
        assert_eq!(unfiltered.to_query(), "page=1&page_size=50");
        assert!(
            state
                .open(Some("x".to_owned()), as_of)
                .to_query()
                .ends_with(&format!("page=3&page_size=50&as_of={AS_OF}&entry=x"))
        );
    }

    #[test]
    fn a_wrong_address_is_an_error() {
        let parse = |query| {
            ListState::parse(query, Scope::Organization, &Catalog::built_in(), PageSize::Fifty)
        };
        assert!(parse("tpye=Users").is_err() && parse("organization_id=acme").is_err());
    }
}
