//! Pages: the parameters of listings, read from and written to query strings.

use std::fmt::Display;
use std::str::FromStr;

use crate::as_of::AsOf;
use crate::catalog::Catalog;
use crate::entry::Outcome;
use crate::filter::Filter;
use crate::problem::{FieldError, MAX_ERRORS, Problem, ProblemCode};

/// The highest page number that may be asked for.
pub const MAX_PAGE: u64 = 1_000_000_000;
/// The most values of one filter.
pub const MAX_FILTER_VALUES: usize = 100;
/// How many entries the recent list holds unless asked otherwise.
pub const DEFAULT_RECENT: u64 = 6;
/// How many entries the recent list may hold.
pub const MAX_RECENT: u64 = 25;
/// How many days the activity per day covers unless asked otherwise.
pub const DEFAULT_DAYS: u64 = 30;
/// How many days the activity per day may cover: a quarter of a year.
pub const MAX_DAYS: u64 = 92;
/// The longest search text, in characters.
pub const MAX_SEARCH_LENGTH: usize = 256;

/// How much of a wrong value an error repeats, in characters.
const SHOWN: usize = 64;

/// How many items a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageSize {
    /// 25 items.
    #[default]
    TwentyFive,
    /// 50 items.
    Fifty,
    /// 100 items.
    Hundred,
}

impl PageSize {
    /// Every page size.
    pub const ALL: [PageSize; 3] = [PageSize::TwentyFive, PageSize::Fifty, PageSize::Hundred];

    /// The number of items.
    pub fn get(self) -> u64 {
        match self {
            PageSize::TwentyFive => 25,
            PageSize::Fifty => 50,
            PageSize::Hundred => 100,
        }
    }

    /// How many pages `total` items fill; 0 for none.
    pub fn pages(self, total: u64) -> u64 {
        total.div_ceil(self.get())
    }
}

/// Which log a listing looks at, for the parameters it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One organization's log.
    Organization,
    /// Every log the caller sees.
    Global,
}

/// What a listing was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingParameters {
    /// Which entries.
    pub filter: Filter,
    /// Which page, from 1.
    pub page: u64,
    /// How many on each.
    pub page_size: PageSize,
    /// Up to where the listing looks; `None` is now.
    pub as_of: Option<AsOf>,
}

impl ListingParameters {
    /// Reads a query string.
    ///
    /// # Errors
    /// A problem that points at each parameter that is unknown or wrong.
    pub fn parse(query: &str, scope: Scope, catalog: &Catalog) -> Result<Self, Problem> {
        let mut parameters = Parameters::read(query);
        let types = parameters.many("type", |text| {
            catalog.find_type(text).cloned().ok_or("is not a type of the catalog")
        });
        let actions = parameters.many("action", |text| {
            catalog.find_action(text).cloned().ok_or("is not an action of the catalog")
        });
        let outcomes = parameters.many("outcome", str::parse::<Outcome>);
        let filter = Filter {
            without_types: Vec::new(),
            types,
            actions,
            outcomes,
            users: parameters.many("user_id", str::parse),
            workspaces: parameters.many("workspace_id", str::parse),
            organizations: match scope {
                Scope::Global => parameters.many("organization_id", str::parse),
                Scope::Organization => Vec::new(),
            },
            from: parameters.one("from"),
            to: parameters.one("to"),
        };
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from > to
        {
            parameters.refuse("from", "must not lie after to");
        }
        let page = parameters.page();
        let page_size = parameters.page_size();
        let as_of = parameters.as_of();
        parameters.finish(Self { filter, page, page_size, as_of })
    }

    /// The query string of another page of the same listing, pinned.
    pub fn query_for(&self, page: u64, as_of: AsOf) -> String {
        Self { page, as_of: Some(as_of), ..self.clone() }.to_query()
    }

    /// The query string that these parameters are read from.
    pub fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.filter.to_parameters() {
            query.append_pair(name, &value);
        }
        query.append_pair("page", &self.page.to_string());
        query.append_pair("page_size", &self.page_size.get().to_string());
        if let Some(as_of) = &self.as_of {
            query.append_pair("as_of", as_of.as_str());
        }
        query.finish()
    }
}

/// Reads `limit` of the recent list.
///
/// # Errors
/// A problem that points at each parameter that is unknown or wrong.
pub fn parse_recent(query: &str) -> Result<u64, Problem> {
    let mut parameters = Parameters::read(query);
    let limit = parameters.number("limit", MAX_RECENT).unwrap_or(DEFAULT_RECENT);
    parameters.finish(limit)
}

/// What the activity per day was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaysParameters {
    /// How many days, today included.
    pub days: u64,
    /// The name of the time zone whose days are meant; whether there is one, the model can't know.
    pub time_zone: String,
    /// Up to where the counts look; `None` is now.
    pub as_of: Option<AsOf>,
}

impl DaysParameters {
    /// Reads a query string.
    ///
    /// # Errors
    /// A problem that points at each parameter that is unknown or wrong.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let mut parameters = Parameters::read(query);
        let days = parameters.number("days", MAX_DAYS).unwrap_or(DEFAULT_DAYS);
        let time_zone = parameters.one("time_zone").unwrap_or_else(|| "UTC".to_owned());
        let as_of = parameters.as_of();
        parameters.finish(Self { days, time_zone, as_of })
    }
}

/// What the list of organizations was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationsParameters {
    /// Text that the name or the id must contain, whatever its case.
    pub search: Option<String>,
    /// Which page, from 1.
    pub page: u64,
    /// How many on each.
    pub page_size: PageSize,
}

impl OrganizationsParameters {
    /// Reads a query string.
    ///
    /// # Errors
    /// A problem that points at each parameter that is unknown or wrong.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let mut parameters = Parameters::read(query);
        let search: Option<String> = parameters.one("q");
        if let Some(Err(why)) =
            search.as_ref().map(|text| crate::entry::check_text(text, 1, MAX_SEARCH_LENGTH))
        {
            parameters.refuse("q", why);
        }
        let page = parameters.page();
        let page_size = parameters.page_size();
        parameters.finish(Self { search, page, page_size })
    }

    /// The query string of another page of the same list.
    pub fn query_for(&self, page: u64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(search) = &self.search {
            query.append_pair("q", search);
        }
        query.append_pair("page", &page.to_string());
        query.append_pair("page_size", &self.page_size.get().to_string());
        query.finish()
    }
}

/// Reads the query string of an operation that takes one parameter, or none.
///
/// # Errors
/// A problem that points at each parameter that is unknown or wrong.
pub fn parse_only(query: &str, name: Option<&'static str>) -> Result<Option<String>, Problem> {
    let mut parameters = Parameters::read(query);
    let value = name.and_then(|name| parameters.one(name));
    parameters.finish(value)
}

/// The most characters of an unknown parameter's name that are told.
const MAX_NAME_TOLD: usize = 100;

/// The parameters of a query string, taken out one by one; what is left is unknown.
struct Parameters {
    pairs: Vec<(String, String)>,
    /// Parameters that are unknown or given too often.
    malformed: Vec<FieldError>,
    /// Parameters whose value is wrong.
    invalid: Vec<FieldError>,
}

impl Parameters {
    fn read(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { pairs, malformed: Vec::new(), invalid: Vec::new() }
    }

    fn take(&mut self, name: &str) -> Vec<String> {
        let (taken, left) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(n, _)| n == name);
        self.pairs = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    fn refuse(&mut self, name: &str, detail: impl ToString) {
        self.invalid.push(FieldError::new(format!("?{name}"), detail));
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let mut values = self.take(name);
        if values.len() > 1 {
            self.malformed.push(FieldError::new(format!("?{name}"), "must be given once"));
        }
        values.pop()
    }

    fn one<T: FromStr<Err: ToString>>(&mut self, name: &str) -> Option<T> {
        self.text(name)?.parse().map_err(|why: T::Err| self.refuse(name, why)).ok()
    }

    fn number(&mut self, name: &str, most: u64) -> Option<u64> {
        let number = self.text(name)?.parse().ok().filter(|number| (1..=most).contains(number));
        if number.is_none() {
            self.refuse(name, format!("must be a whole number from 1 to {most}"));
        }
        number
    }

    fn many<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        let values = self.take(name);
        if values.len() > MAX_FILTER_VALUES {
            self.refuse(name, format!("at most {MAX_FILTER_VALUES} values"));
            return Vec::new();
        }
        let mut read = Vec::with_capacity(values.len());
        for text in values {
            match parse(&text) {
                Ok(value) => read.push(value),
                Err(why) => self.refuse(name, which(&text, &why)),
            }
        }
        read
    }

    fn page(&mut self) -> u64 {
        self.number("page", MAX_PAGE).unwrap_or(1)
    }

    fn page_size(&mut self) -> PageSize {
        let Some(text) = self.text("page_size") else { return PageSize::default() };
        let size = PageSize::ALL.into_iter().find(|size| size.get().to_string() == text);
        size.unwrap_or_else(|| {
            self.refuse("page_size", "must be 25, 50 or 100");
            PageSize::default()
        })
    }

    fn as_of(&mut self) -> Option<AsOf> {
        self.one("as_of")
    }

    fn finish<T>(self, value: T) -> Result<T, Problem> {
        let mut errors = self.malformed;
        let unknown = |(name, _): (String, String)| {
            let name: String = name.chars().take(MAX_NAME_TOLD).collect();
            FieldError::new(format!("?{name}"), "is not a parameter of this operation")
        };
        errors.extend(self.pairs.into_iter().take(MAX_ERRORS).map(unknown));
        let code = if errors.is_empty() {
            ProblemCode::InvalidParameters
        } else {
            ProblemCode::MalformedParameters
        };
        errors.extend(self.invalid);
        if errors.is_empty() {
            return Ok(value);
        }
        errors.truncate(MAX_ERRORS);
        Err(Problem::with_errors(
            code,
            "The parameters in `errors` are wrong; nothing was read.",
            errors,
        ))
    }
}

/// Says which of several values is wrong.
fn which(text: &str, why: impl Display) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let cut = if shown.len() < text.len() { "…" } else { "" };
    let hint = if text.contains(',') { "; for several values, repeat the parameter" } else { "" };
    format!("`{shown}{cut}` {why}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<ListingParameters, Problem> {
        ListingParameters::parse(query, Scope::Global, &Catalog::built_in())
    }

    #[test]
    fn however_much_is_wrong_the_answer_is_short() {
        let long = "x".repeat(10_000);
        let many: String = (0..10_000).map(|number| format!("unknown{number}&")).collect();
        let wrong: String = (0..100).map(|_| "type=&action=&outcome=&user_id=&").collect();
        for query in [many, wrong, format!("{long}={long}")] {
            let problem = parse_only(&query, None).unwrap_err();
            let length = serde_json::to_string(&problem).unwrap().len();
            assert!((1..=50).contains(&problem.errors.len()) && length < 10_000, "{length}");
        }
        let catalog = Catalog::built_in();
        let query = (0..100).map(|_| "type=&action=&outcome=&user_id=&").collect::<String>();
        let problem = ListingParameters::parse(&query, Scope::Global, &catalog).unwrap_err();
        assert_eq!(problem.errors.len(), 50);
    }

    #[test]
    fn a_query_is_read_and_written_back() {
        let query = "type=Users&type=Plans&action=FetchAll&outcome=denied&user_id=a%40b&workspace_id=w\
            &organization_id=acme&from=2026-01-01T00%3A00%3A00.000000Z&to=2026-02-01T00%3A00%3A00.000000Z\
            &page=3&page_size=50&as_of=kq3mTz0cT4mJxk9vL1bq2w";
        let parameters = parse(query).unwrap();
        assert_eq!(parameters.query_for(3, "kq3mTz0cT4mJxk9vL1bq2w".parse().unwrap()), query);
        assert_eq!(
            parse("").unwrap(),
            ListingParameters {
                filter: Filter::default(),
                page: 1,
                page_size: PageSize::TwentyFive,
                as_of: None
            }
        );
    }

    #[test]
    fn wrong_parameters_are_pointed_at() {
        use ProblemCode::{InvalidParameters, MalformedParameters};
        for (query, code, pointer) in [
            ("typ=Users", MalformedParameters, "?typ"),
            ("q=x", MalformedParameters, "?q"),
            ("page=1&page=2", MalformedParameters, "?page"),
            ("page=0&typ=Users", MalformedParameters, "?typ"),
            ("page=one", InvalidParameters, "?page"),
            ("page=-1", InvalidParameters, "?page"),
            ("page=1.0", InvalidParameters, "?page"),
            ("page=", InvalidParameters, "?page"),
            ("page_size=", InvalidParameters, "?page_size"),
            ("from=yesterday", InvalidParameters, "?from"),
            ("as_of=99999999999999999999", InvalidParameters, "?as_of"),
            ("as_of=", InvalidParameters, "?as_of"),
            ("page=0", InvalidParameters, "?page"),
            ("page=1000000000000000000", InvalidParameters, "?page"),
            ("page_size=26", InvalidParameters, "?page_size"),
            ("as_of=-1", InvalidParameters, "?as_of"),
            ("type=Userz", InvalidParameters, "?type"),
            ("type=", InvalidParameters, "?type"),
            ("user_id=a%20", InvalidParameters, "?user_id"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", InvalidParameters, "?from"),
        ] {
            let problem = parse(query).unwrap_err();
            assert_eq!(
                (problem.code.unwrap(), problem.errors[0].pointer.as_str()),
                (code, pointer),
                "{query}"
            );
        }
        assert!(
            ListingParameters::parse(
                "organization_id=acme",
                Scope::Organization,
                &Catalog::built_in()
            )
            .is_err()
        );
        assert!(parse_recent("limit=26").is_err() && parse_recent("limit=0").is_err());
        assert_eq!(parse_recent(""), Ok(6));
        for wrong in ["days=0", "days=93", "days=x", "as_of=-1", "page=1", "days=1&days=2"] {
            assert!(DaysParameters::parse(wrong).is_err(), "{wrong}");
        }
        let days = DaysParameters { days: 30, time_zone: "UTC".to_owned(), as_of: None };
        assert_eq!(DaysParameters::parse(""), Ok(days));
        assert!(parse_only("x=1", None).is_err());
    }

    #[test]
    fn details_say_what_is_wrong_in_plain_words() {
        for (query, details) in [
            ("page=abc", &["must be a whole number from 1 to 1000000000"][..]),
            ("page_size=x", &["must be 25, 50 or 100"]),
            ("type=Workspace&type=Nope&type=Users", &["`Nope` is not a type of the catalog"]),
            (
                "type=Users,Plans",
                &[
                    "`Users,Plans` is not a type of the catalog; for several values, repeat the parameter",
                ],
            ),
            (
                "outcome=bad&outcome=worse",
                &[
                    "`bad` must be success, denied or failure",
                    "`worse` must be success, denied or failure",
                ],
            ),
            (
                "from=2026-11-25T13:00:00+01:00",
                &["has a blank where `+` was meant: in an address, `+` is written `%2B`"],
            ),
            ("to=2026-11-25", &["must be an RFC 3339 date and time such as 2026-01-31T09:30:00Z"]),
        ] {
            let problem = parse(query).unwrap_err();
            let said: Vec<&str> =
                problem.errors.iter().map(|error| error.detail.as_str()).collect();
            assert_eq!(said, details, "{query}");
        }
        let long = parse(&format!("action={}", "x".repeat(5_000))).unwrap_err();
        assert!(long.errors[0].detail.len() < 200, "{long:?}");
    }

    #[test]
    fn pages_are_counted() {
        let pages = [0, 1, 25, 26, 412].map(|total| PageSize::TwentyFive.pages(total));
        assert_eq!(pages, [0, 1, 1, 2, 17]);
    }
}
