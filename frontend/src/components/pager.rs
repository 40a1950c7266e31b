//! Under a list: how many on a page, which of how many, and the way to others.

use activity_logs_model::PageSize;
use leptos::prelude::*;

use crate::browser::number;
use crate::logic::pages::{PageButton, page_window, range};

/// What the pager shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The page that is shown.
    pub(crate) page: u64,
    /// How many entries a page holds.
    pub(crate) page_size: PageSize,
    /// How many entries this page has.
    pub(crate) shown: u64,
    /// How many there are in all.
    pub(crate) total: u64,
}

/// `Showing 1-25 of 412 items`, numbers as the viewer's language writes them.
pub(crate) fn showing(paging: &Paging) -> String {
    let Paging { page, page_size, shown, total } = *paging;
    match range(page, page_size.get(), shown, total) {
        Some((first, last)) => {
            format!("Showing {}-{} of {} items", number(first), number(last), number(total))
        }
        None => format!("Showing none of {} items", number(total)),
    }
}

/// The pager.
#[component]
pub(crate) fn Pager(
    paging: Paging,
    go: Callback<u64>,
    resize: Callback<PageSize>,
) -> impl IntoView {
    let Paging { page, page_size, total, .. } = paging;
    let choose = move |event| {
        let chosen = event_target_value(&event);
        if let Some(size) = PageSize::ALL.into_iter().find(|size| size.get().to_string() == chosen)
        {
            resize.run(size);
        }
    };
    let button = move |button| match button {
        PageButton::Page(number_) => view! {
            <button
                type="button"
                aria-current=(number_ == page).then_some("page")
                aria-label=format!("Page {number_}")
                on:click=move |_| go.run(number_)
            >{number(number_)}</button>
        }
        .into_any(),
        PageButton::Jump(target) => view! {
            <button
                type="button"
                class="jump"
                aria-label=format!("Jump to page {target}")
                title=format!("Jump to page {}", number(target))
                on:click=move |_| go.run(target)
            >"…"</button>
        }
        .into_any(),
    };
    view! {
        <div class="pager">
            <label class="page-size">
                <span>"Per page"</span>
                <select on:change=choose prop:value=page_size.get().to_string()>
                    {PageSize::ALL.into_iter().map(|size| view! {
                        <option value=size.get().to_string() selected={size == page_size}>{size.get()}</option>
                    }).collect_view()}
                </select>
            </label>
            <p class="showing">{showing(&paging)}</p>
            <nav class="pages" aria-label="Pages">
                {page_window(page, page_size.pages(total)).into_iter().map(button).collect_view()}
            </nav>
        </div>
    }
}
