//! Filters: chosen above the list, shown as chips that can be removed.

use activity_logs_model::paging::ListingParameters;
use activity_logs_model::{Catalog, Filter, Outcome, Timestamp};
use leptos::prelude::*;

/// Changes the listing.
pub(crate) type Change = Box<dyn FnOnce(&mut ListingParameters) + Send>;

const PRESETS: [(&str, i64); 4] =
    [("Last 24 hours", 1), ("Last 7 days", 7), ("Last 30 days", 30), ("Last 90 days", 90)];
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The fields to choose filters with.
#[component]
pub(crate) fn Filters(
    catalog: Catalog,
    /// Whether organizations can be chosen: the global list.
    global: bool,
    change: Callback<Change>,
) -> impl IntoView {
    let types: Vec<_> = catalog.types().map(|(kind, _)| (kind.to_string(), kind.label())).collect();
    let mut actions: Vec<_> = catalog
        .types()
        .flat_map(|(_, actions)| actions)
        .map(|action| (action.to_string(), action.label()))
        .collect();
    actions.sort();
    actions.dedup();
    let outcomes =
        Outcome::ALL.into_iter().map(|o| (o.as_str().to_owned(), o.as_str().to_owned())).collect();
    let presets =
        PRESETS.into_iter().map(|(label, days)| (days.to_string(), label.to_owned())).collect();
    let adding = |edit: fn(&mut ListingParameters, &str)| {
        Callback::new(move |text: String| {
            change.run(Box::new(move |parameters| edit(parameters, &text)));
        })
    };
    view! {
        <form class="filters" aria-label="Filters" on:submit=|event| event.prevent_default()>
            <Choice label="Type" options=types add=adding(|p, text| add(&mut p.filter.types, text))/>
            <Choice label="Action" options=actions add=adding(|p, text| add(&mut p.filter.actions, text))/>
            <Choice label="Outcome" options=outcomes add=adding(|p, text| {
                let outcome = Outcome::from_token(text).filter(|o| !p.filter.outcomes.contains(o));
                p.filter.outcomes.extend(outcome);
            })/>
            <Choice label="Time" options=presets add=adding(|p, days| {
                let now = Timestamp::from_micros(js_sys::Date::now() as i64 * 1_000);
                p.filter.from = days.parse::<i64>().ok().map(|days| now.plus_seconds(-days * DAY_SECONDS));
                p.filter.to = None;
            })/>
            <Text label="User id" add=adding(|p, text| add(&mut p.filter.users, text))/>
            <Text label="Workspace id" add=adding(|p, text| add(&mut p.filter.workspaces, text))/>
            {global.then(|| view! {
                <Text label="Organization id" add=adding(|p, text| add(&mut p.filter.organizations, text))/>
            })}
        </form>
    }
}

/// Adds a value that can be parsed and is not there yet.
fn add<T: std::str::FromStr + PartialEq>(values: &mut Vec<T>, text: &str) {
    values.extend(text.trim().parse().ok().filter(|value| !values.contains(value)));
}

#[component]
fn Choice(
    label: &'static str,
    options: Vec<(String, String)>,
    add: Callback<String>,
) -> impl IntoView {
    let chosen = RwSignal::new(String::new());
    let choose = move |event| {
        let value = event_target_value(&event);
        chosen.set(String::new());
        if !value.is_empty() {
            add.run(value);
        }
    };
    view! {
        <label>
            <span>{label}</span>
            <select prop:value=move || chosen.get() on:change=choose>
                <option value="">"Any"</option>
                {options.into_iter().map(|(value, label)| view! { <option value=value>{label}</option> }).collect_view()}
            </select>
        </label>
    }
}

#[component]
fn Text(label: &'static str, add: Callback<String>) -> impl IntoView {
    view! {
        <label>
            <span>{label}</span>
            <input
                type="text"
                placeholder="Any"
                spellcheck="false"
                autocomplete="off"
                on:change=move |event| {
                    let value = event_target_value(&event);
                    if !value.trim().is_empty() {
                        add.run(value);
                    }
                }
            />
        </label>
    }
}

/// The filters that are on, each with a way to remove it.
#[component]
pub(crate) fn Chips(filter: Filter, change: Callback<Change>) -> impl IntoView {
    let chips = filter.to_parameters();
    if chips.is_empty() {
        return None;
    }
    let chip = move |(name, value): (&'static str, String)| {
        let text = format!("{}: {value}", name.replace('_', " "));
        let remove = move |_| {
            let value = value.clone();
            change.run(Box::new(move |p| p.filter = without(&p.filter, name, &value)));
        };
        view! {
            <button class="chip" type="button" aria-label=format!("Remove the filter {text}") on:click=remove>
                <span class="text">{text.clone()}</span><span class="chip-x" aria-hidden="true">" ×"</span>
            </button>
        }
    };
    Some(view! {
        <div class="chips">
            {chips.into_iter().map(chip).collect_view()}
            <button class="quiet clear" type="button" on:click=move |_| change.run(Box::new(|p| p.filter = Filter::default()))>
                "Clear all"
            </button>
        </div>
    })
}

/// The filter without one of its values.
fn without(filter: &Filter, name: &str, value: &str) -> Filter {
    let mut filter = filter.clone();
    fn take<T: ToString>(values: &mut Vec<T>, value: &str) {
        values.retain(|kept| kept.to_string() != value);
    }
    match name {
        "type" => take(&mut filter.types, value),
        "action" => take(&mut filter.actions, value),
        "outcome" => filter.outcomes.retain(|outcome| outcome.as_str() != value),
        "user_id" => take(&mut filter.users, value),
        "workspace_id" => take(&mut filter.workspaces, value),
        "organization_id" => take(&mut filter.organizations, value),
        "from" => filter.from = None,
        "to" => filter.to = None,
        _ => {}
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::*;
    use activity_logs_model::paging::Scope;

    #[test]
    fn each_chip_removes_its_own_filter() {
        let query = "type=Users&type=Plans&action=Fetch&outcome=denied&user_id=a&workspace_id=b&organization_id=c\
            &from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z";
        let mut filter =
            ListingParameters::parse(query, Scope::Global, &Catalog::built_in()).unwrap().filter;
        for left in (0..9).rev() {
            let (name, value) = filter.to_parameters().remove(0);
            filter = without(&filter, name, &value);
            assert_eq!(filter.to_parameters().len(), left, "{name}");
        }
    }

    #[test]
    fn a_value_is_added_once_and_only_if_it_is_one() {
        let mut users: Vec<activity_logs_model::UserId> = Vec::new();
        for text in [" ada ", "ada", "no id"] {
            add(&mut users, text);
        }
        assert_eq!(users.len(), 1);
    }
}
