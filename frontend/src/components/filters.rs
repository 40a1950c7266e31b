//! Filters: chosen above the list, shown as chips that can be removed.

use activity_logs_model::paging::ListingParameters;
use activity_logs_model::{Action, Catalog, Filter, Outcome, Type, UserId};
use leptos::prelude::*;

use crate::browser::{focus, instant, local_time, matches, now, today};
use crate::logic::names::{Named, Names};

/// Changes the listing.
pub(crate) type Change = Box<dyn Fn(&mut ListingParameters) + Send + Sync>;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
/// The choice that shows the fields for a time range of one's own.
const CUSTOM: &str = "custom";

/// The time ranges to choose from: a value, and what people read.
const PRESETS: [(&str, &str); 6] = [
    ("today", "Today"),
    ("1", "Last 24 hours"),
    ("7", "Last 7 days"),
    ("30", "Last 30 days"),
    ("90", "Last 90 days"),
    (CUSTOM, "Custom range …"),
];

/// The fields to choose filters with.
#[component]
pub(crate) fn Filters(
    catalog: Catalog,
    /// Whether organizations can be chosen: the global list.
    global: bool,
    /// What is chosen already.
    filter: Memo<Filter>,
    /// The names that have been on screen.
    names: RwSignal<Names>,
    change: Callback<Change>,
) -> impl IntoView {
    let on = |chosen: fn(&Filter) -> bool| Memo::new(move |_| filter.with(chosen));
    let types = catalog.types().map(|(kind, _)| (kind.to_string(), kind.label())).collect();
    let mut actions: Vec<_> = catalog
        .types()
        .flat_map(|(_, actions)| actions)
        .map(|action| (action.to_string(), action.label()))
        .collect();
    actions.sort();
    actions.dedup();
    let outcomes =
        Outcome::ALL.into_iter().map(|o| (o.as_str().to_owned(), o.as_str().to_owned())).collect();
    let presets = PRESETS.map(|(value, label)| (value.to_owned(), label.to_owned())).to_vec();
    let custom = RwSignal::new(false);
    let adding = |edit: fn(&mut ListingParameters, &str)| {
        Callback::new(move |values: Vec<String>| {
            change.run(Box::new(move |p| values.iter().for_each(|value| edit(p, value))));
        })
    };
    let choose_time = Callback::new(move |values: Vec<String>| {
        let value = values.concat();
        custom.set(value == CUSTOM);
        let from = match value.as_str() {
            CUSTOM => return focus(".range input"),
            "today" => Some(today()),
            days => days.parse().ok().map(|days: i64| now().plus_seconds(-days * SECONDS_PER_DAY)),
        };
        change.run(Box::new(move |p| (p.filter.from, p.filter.to) = (from, None)));
    });
    // On a small screen the list comes first.
    let open = !matches("(max-width: 700px)");
    view! {
        <details class="filters-box" open=open>
            <summary>"Filters"</summary>
            <form class="filters" aria-label="Filters" on:submit=|event| event.prevent_default()>
                {choice("Type", types, on(|f| !f.types.is_empty()), adding(|p, text| add(&mut p.filter.types, text)))}
                {choice("Action", actions, on(|f| !f.actions.is_empty()), adding(|p, text| add(&mut p.filter.actions, text)))}
                {choice("Outcome", outcomes, on(|f| !f.outcomes.is_empty()), adding(|p, text| {
                    let outcome = text.parse().ok().filter(|o: &Outcome| !p.filter.outcomes.contains(o));
                    p.filter.outcomes.extend(outcome);
                }))}
                {choice("Time", presets, on(|f| f.from.is_some() || f.to.is_some()), choose_time)}
                {named("User", Named::User, names, adding(|p, text| add(&mut p.filter.users, text)))}
                {named("Workspace", Named::Workspace, names, adding(|p, text| add(&mut p.filter.workspaces, text)))}
                {global.then(|| named("Organization", Named::Organization, names, adding(|p, text| add(&mut p.filter.organizations, text))))}
            </form>
            {move || custom.get().then(|| range(custom, change))}
        </details>
    }
}

/// Adds a value that can be parsed and is not there yet.
fn add<T: std::str::FromStr + PartialEq>(values: &mut Vec<T>, text: &str) {
    values.extend(text.trim().parse().ok().filter(|value| !values.contains(value)));
}

/// A menu; what is chosen goes to `add`.
fn choice(
    label: &'static str,
    options: Vec<(String, String)>,
    is_on: Memo<bool>,
    add: Callback<Vec<String>>,
) -> AnyView {
    let chosen = RwSignal::new(String::new());
    let choose = move |event| {
        let value = event_target_value(&event);
        // Set first to what the menu shows, or resetting it would be no change.
        chosen.set(value.clone());
        chosen.set(String::new());
        if !value.is_empty() {
            add.run(vec![value]);
        }
    };
    view! {
        <label>
            <span>{label}</span>
            <select prop:value=move || chosen.get() on:change=choose>
                <option value="">{move || if is_on.get() { "More …" } else { "Any" }}</option>
                {options.into_iter().map(|(value, label)| view! { <option value=value>{label}</option> }).collect_view()}
            </select>
        </label>
    }
    .into_any()
}

/// A field for an identifier, or for a name that has been on screen.
fn named(
    label: &'static str,
    named: Named,
    names: RwSignal<Names>,
    add: Callback<Vec<String>>,
) -> AnyView {
    let wrong = RwSignal::new(false);
    let list = format!("names-{label}");
    let typed = move |event: web_sys::Event| {
        let field = event_target::<web_sys::HtmlInputElement>(&event);
        let text = field.value().trim().to_owned();
        let mut meant = names.with_untracked(|names| names.meant(named, &text));
        // Few ids have blanks and most names do: a name that nobody has is not taken for an id.
        let is_id = !text.contains(char::is_whitespace) && text.parse::<UserId>().is_ok();
        if meant.is_empty() && is_id {
            meant.push(text.clone());
        }
        wrong.set(meant.is_empty() && !text.is_empty());
        if !meant.is_empty() {
            field.set_value("");
            add.run(meant);
        }
    };
    let options = move || {
        let option = |(id, name): (&str, &str)| view! { <option value=id.to_owned()>{name.to_owned()}</option> };
        names.with(|names| names.all(named).map(option).collect_view())
    };
    view! {
        <label>
            <span>{label}</span>
            <input
                type="text"
                placeholder="Name or id"
                spellcheck="false"
                autocomplete="off"
                list=list.clone()
                aria-invalid=move || wrong.get().then_some("true")
                on:change=typed
            />
            {move || wrong.get().then(|| view! { <small class="wrong" role="alert">"No such name on this page. Type an id without spaces instead."</small> })}
            <datalist id=list>{options}</datalist>
        </label>
    }
    .into_any()
}

/// The fields for a time range of one's own.
fn range(custom: RwSignal<bool>, change: Callback<Change>) -> AnyView {
    let (from, to) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let wrong = RwSignal::new(false);
    let apply = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let (from, to) = (instant(&from.get_untracked()), instant(&to.get_untracked()));
        let backwards = matches!((from, to), (Some(from), Some(to)) if from >= to);
        wrong.set(backwards || (from.is_none() && to.is_none()));
        if !wrong.get_untracked() {
            custom.set(false);
            change.run(Box::new(move |p| (p.filter.from, p.filter.to) = (from, to)));
        }
    };
    let field = |label, value: RwSignal<String>| {
        view! {
            <label>
                <span>{label}</span>
                <input type="datetime-local" on:input=move |event| value.set(event_target_value(&event))/>
            </label>
        }
    };
    view! {
        <form class="filters range" aria-label="Time range" on:submit=apply>
            {field("From", from)}
            {field("Until", to)}
            <button class="primary" type="submit">"Apply"</button>
            <button class="quiet" type="button" on:click=move |_| custom.set(false)>"Cancel"</button>
            {move || wrong.get().then(|| view! { <small class="wrong" role="alert">"Give a start, an end, or both; the start comes first."</small> })}
        </form>
    }
    .into_any()
}

/// The filters that are on, each with a way to remove it.
#[component]
pub(crate) fn Chips(
    filter: Filter,
    catalog: Catalog,
    names: RwSignal<Names>,
    change: Callback<Change>,
) -> impl IntoView {
    let chips = filter.to_parameters();
    if chips.is_empty() {
        return None;
    }
    let chip = move |(parameter, value): (&'static str, String)| {
        let text = {
            let (catalog, value) = (catalog.clone(), value.clone());
            Memo::new(move |_| names.with(|names| words(parameter, &value, &catalog, names)))
        };
        let remove = move |_| {
            let value = value.clone();
            change.run(Box::new(move |p| p.filter = without(&p.filter, parameter, &value)));
        };
        view! {
            <button class="chip" type="button" aria-label=move || format!("Remove the filter {}", text.get()) on:click=remove>
                <span class="text">{text}</span><span class="chip-x" aria-hidden="true">" ×"</span>
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

/// A filter as people read it: `User: Ada Abara (ada)`.
fn words(parameter: &str, value: &str, catalog: &Catalog, names: &Names) -> String {
    let label = match parameter {
        "type" => "Type",
        "action" => "Action",
        "outcome" => "Outcome",
        "user_id" => "User",
        "workspace_id" => "Workspace",
        "organization_id" => "Organization",
        "from" => "From",
        _ => "Until",
    };
    let value = match parameter {
        "type" => catalog.find_type(value).map(Type::label),
        "action" => catalog.find_action(value).map(Action::label),
        "from" | "to" => value.parse().ok().map(local_time),
        _ => Named::of_parameter(parameter)
            .and_then(|named| names.name(named, value))
            .map(|name| format!("{name} ({value})")),
    }
    .unwrap_or_else(|| value.to_owned());
    format!("{label}: {value}")
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
        for text in [" ada ", "ada", "!no-id"] {
            add(&mut users, text);
        }
        assert_eq!(users.len(), 1);
    }
}
