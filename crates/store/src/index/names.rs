//! The names of lists: written, and taken apart, here alone.

use activity_logs_model::Type;

use super::EVERYTHING;

/// What entries of a list have in common, beside their log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facet<'a> {
    All,
    Type(&'a str),
    Action(&'a str),
    Outcome(&'a str),
    User(&'a str),
    /// Empty: those without a workspace.
    Workspace(&'a str),
    TypeAndAction(&'a str, &'a str),
    /// Denied attempts on a log: not everybody sees their own.
    DeniedAttempts,
    /// All, by log and workspace; kept of all logs together alone.
    Places,
}

/// Whether entries are of an administrative type, which most people don't see: every list has
/// entries of one class only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Ordinary,
    Administrative,
}

impl Class {
    pub(crate) const BOTH: [Class; 2] = [Class::Ordinary, Class::Administrative];

    pub(crate) fn of(kind: &str) -> Self {
        if kind.starts_with(Type::ADMINISTRATIVE_PREFIX) {
            Class::Administrative
        } else {
            Class::Ordinary
        }
    }
}

/// The name of a list in the database; short, because there are many.
pub(crate) fn list_name(class: Class, facet: Facet<'_>) -> String {
    let class = if class == Class::Ordinary { 'o' } else { 'a' };
    match facet {
        Facet::All => format!("{class}*"),
        Facet::Type(kind) => format!("{class}t{kind}"),
        Facet::Action(action) => format!("{class}c{action}"),
        Facet::Outcome(outcome) => format!("{class}r{outcome}"),
        Facet::User(user) => format!("{class}u{user}"),
        Facet::Workspace(workspace) => format!("{class}w{workspace}"),
        Facet::TypeAndAction(kind, action) => format!("{class}p{kind}/{action}"),
        Facet::DeniedAttempts => format!("{class}d"),
        Facet::Places => format!("{class}h"),
    }
}

/// What a name that [`list_name`] made was made of.
pub(crate) fn parts_of(list: &str) -> Option<(Class, Facet<'_>)> {
    let mut rest = list.chars();
    let class = match rest.next()? {
        'o' => Class::Ordinary,
        'a' => Class::Administrative,
        _ => return None,
    };
    let facet = match (rest.next()?, rest.as_str()) {
        ('*', "") => Facet::All,
        ('t', kind) => Facet::Type(kind),
        ('c', action) => Facet::Action(action),
        ('r', outcome) => Facet::Outcome(outcome),
        ('u', user) => Facet::User(user),
        ('w', workspace) => Facet::Workspace(workspace),
        ('p', pair) => {
            // Types and actions are tokens: they have no slash.
            let (kind, action) = pair.split_once('/')?;
            Facet::TypeAndAction(kind, action)
        }
        ('d', "") => Facet::DeniedAttempts,
        ('h', "") => Facet::Places,
        _ => return None,
    };
    Some((class, facet))
}

/// The class of a list's entries.
pub(crate) fn class_of(list: &str) -> Option<Class> {
    parts_of(list).map(|(class, _)| class)
}

/// What a list's entries have in common.
pub(crate) fn facet_of(list: &str) -> Option<Facet<'_>> {
    parts_of(list).map(|(_, facet)| facet)
}

/// Where lists of types and of outcomes are among all names: from the first to before the second.
pub(crate) const TYPES_AND_OUTCOMES: [(&str, &str); 4] =
    [("at", "au"), ("ot", "ou"), ("ar", "as"), ("or", "os")];

/// Whether a list over all logs says for each entry which organization it is of: a member sees
/// what they did themselves elsewhere too.
pub(crate) fn is_grouped(log: &str, list: &str) -> bool {
    log == EVERYTHING && matches!(facet_of(list), Some(Facet::User(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ids as platforms have them, and such as look like parts of a name.
    fn text() -> impl Strategy<Value = String> {
        let odd = ["", "*", "o*", "a*", "t", "a/b", "u*", "cn=Ada,ou=Eng", "ä", "!", "h"];
        prop_oneof![prop::sample::select(odd.to_vec()).prop_map(str::to_owned), any::<String>()]
    }

    proptest! {
        #[test]
        fn a_name_says_what_it_was_made_of(id in text(), kind in "[A-Z][A-Za-z0-9]{0,9}",
            action in "[A-Z][A-Za-z0-9]{0,9}", ordinary in any::<bool>()) {
            let class = if ordinary { Class::Ordinary } else { Class::Administrative };
            let facets = [Facet::All, Facet::Type(&kind), Facet::Action(&action),
                Facet::Outcome("denied"), Facet::User(&id), Facet::Workspace(&id),
                Facet::TypeAndAction(&kind, &action), Facet::DeniedAttempts, Facet::Places];
            let mut names = std::collections::BTreeSet::new();
            for facet in facets {
                let name = list_name(class, facet);
                prop_assert_eq!(parts_of(&name), Some((class, facet)));
                prop_assert_eq!(is_grouped(EVERYTHING, &name), matches!(facet, Facet::User(_)));
                prop_assert!(!is_grouped(&id, &name) || id == EVERYTHING);
                let within = TYPES_AND_OUTCOMES.iter()
                    .filter(|(from, to)| (*from..*to).contains(&name.as_str())).count();
                let is_within = matches!(facet, Facet::Type(_) | Facet::Outcome(_));
                prop_assert_eq!(within, usize::from(is_within), "{}", name);
                names.insert(name);
            }
            prop_assert_eq!(names.len(), facets.len());
        }

        #[test]
        fn what_is_no_name_has_no_parts(text in any::<String>()) {
            if let Some((class, facet)) = parts_of(&text) {
                prop_assert_eq!(list_name(class, facet), text);
            }
        }
    }
}
