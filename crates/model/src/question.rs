//! What somebody who read the log asked for, as the entry about it keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::filter::Filter;
use crate::id::OrganizationId;
use crate::json::JsonText;

/// The most values of one filter that an entry keeps; of more it says how many there were.
const MAX_KEPT_VALUES: usize = 20;

/// What a reading asked for. It is kept as JSON, of which a reader needs to know nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Question {
    /// Whether the reader is a member of the organization, or holds a grant in it.
    pub member: bool,
    /// The organization that was aimed at, where the entry does not lie in its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrganizationId>,
    /// The entry that was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The values of each filter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<String, Vec<String>>,
    /// The page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u64>,
    /// How many entries a page holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u64>,
    /// How many of the newest entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u64>,
    /// In which time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How many attempts this entry stands for, beside those that have one of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub further: Option<u64>,
}

impl Question {
    /// With these filters; of a filter with many values the first are kept, and how many more
    /// there were.
    pub fn with_filter(mut self, filter: &Filter) -> Self {
        for (name, value) in filter.to_parameters() {
            self.filters.entry(name.to_owned()).or_default().push(value);
        }
        for values in self.filters.values_mut().filter(|values| values.len() > MAX_KEPT_VALUES) {
            let more = values.len() - MAX_KEPT_VALUES;
            values.truncate(MAX_KEPT_VALUES);
            values.push(format!("… and {more} more"));
        }
        self
    }

    /// As the entry keeps it.
    pub fn to_json(&self) -> Option<JsonText> {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| JsonText::from_value(&value).ok().flatten())
    }

    /// Whether what an entry keeps says that its reader is a member.
    pub fn is_of_member(json: &JsonText) -> bool {
        serde_json::from_str::<Self>(json.as_str()).is_ok_and(|question| question.member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_says_what_was_left_out() {
        let users = (0..30).map(|n| format!("u{n}").parse().unwrap()).collect();
        let filter = Filter { users, ..Filter::default() };
        let question = Question { page: Some(3), ..Question::default() }.with_filter(&filter);
        let users = &question.filters["user_id"];
        assert_eq!((users.len(), &*users[20]), (21, "… and 10 more"));
        let json = question.to_json().unwrap();
        assert!(
            json.as_str().starts_with("{\"filters\":{\"user_id\":[\"u0\""),
            "{}",
            json.as_str()
        );
        assert!(!Question::is_of_member(&json));
        let member = Question { member: true, ..question }.to_json().unwrap();
        assert!(Question::is_of_member(&member));
    }
}
