//! Column widths: changed by mouse, touch and keyboard, kept for the viewer.

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, PointerEvent};

use crate::browser::{forget, keep, kept, local_storage};

/// How many columns the table has.
pub(crate) const COLUMNS: usize = 9;
const KEY: &str = "activity-logs.widths";
const LEAST: f64 = 56.0;
const MOST: f64 = 1_600.0;
const STEP: f64 = 16.0;
/// What fits a column has this much room beside its text.
const PADDING: f64 = 26.0;
const DEFAULTS: [f64; COLUMNS] = [196.0, 128.0, 144.0, 152.0, 136.0, 136.0, 208.0, 192.0, 192.0];

/// The widths of the columns in CSS pixels.
#[derive(Clone, Copy)]
pub(crate) struct Widths(RwSignal<[f64; COLUMNS]>);

impl Widths {
    /// Those that the viewer left, or the defaults.
    pub(crate) fn load() -> Self {
        Self(RwSignal::new(
            kept(local_storage(), KEY).and_then(|text| parse(&text)).unwrap_or(DEFAULTS),
        ))
    }

    /// The width of a column, followed.
    pub(crate) fn get(self, column: usize) -> f64 {
        self.0.with(|widths| widths[column])
    }

    /// The width of all, followed.
    pub(crate) fn total(self) -> f64 {
        self.0.with(|widths| widths.iter().sum())
    }

    fn set(self, column: usize, width: f64) {
        self.0.update(|widths| widths[column] = width.round().clamp(LEAST, MOST));
    }

    fn save(self) {
        let text = self.0.with_untracked(|widths| widths.map(|width| width.to_string()).join(","));
        keep(local_storage(), KEY, &text);
    }

    /// Back to the defaults.
    pub(crate) fn reset(self) {
        self.0.set(DEFAULTS);
        forget(local_storage(), KEY);
    }

    /// As wide as the widest text of the column.
    fn fit(self, column: usize) {
        let cells = document()
            .query_selector_all(&format!("table.log tr > :nth-child({}) > .cell", column + 1));
        let Ok(cells) = cells else { return };
        let widest = (0..cells.length())
            .filter_map(|index| cells.item(index)?.dyn_into::<HtmlElement>().ok())
            .map(|cell| f64::from(cell.scroll_width()))
            .fold(0.0, f64::max);
        self.set(column, widest + PADDING);
        self.save();
    }
}

fn parse(text: &str) -> Option<[f64; COLUMNS]> {
    let widths: Vec<f64> = text.split(',').map_while(|width| width.parse().ok()).collect();
    let widths: [f64; COLUMNS] = widths.try_into().ok()?;
    widths.iter().all(|width| (LEAST..=MOST).contains(width)).then_some(widths)
}

/// The handle at the right edge of a column's head.
#[component]
pub(crate) fn Resizer(widths: Widths, column: usize, label: &'static str) -> impl IntoView {
    let grabbed = RwSignal::new(None::<(f64, f64)>);
    let down = move |event: PointerEvent| {
        event.prevent_default();
        if let Some(handle) =
            event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok())
        {
            let _ = handle.set_pointer_capture(event.pointer_id());
            let _ = handle.focus();
        }
        grabbed.set(Some((f64::from(event.client_x()), widths.get(column))));
    };
    let moved = move |event: PointerEvent| {
        if let Some((from, width)) = grabbed.get_untracked() {
            widths.set(column, width + f64::from(event.client_x()) - from);
        }
    };
    let up = move |_| {
        if grabbed.get_untracked().is_some() {
            grabbed.set(None);
            widths.save();
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let width = widths.get(column);
        match event.key().as_str() {
            "ArrowLeft" => widths.set(column, width - STEP),
            "ArrowRight" => widths.set(column, width + STEP),
            "Home" => widths.set(column, LEAST),
            "Enter" => widths.fit(column),
            _ => return,
        }
        event.prevent_default();
        widths.save();
    };
    view! {
        <span
            class="resizer"
            role="separator"
            tabindex="0"
            aria-orientation="vertical"
            aria-label=format!("Width of {label}")
            aria-valuemin=LEAST.to_string()
            aria-valuemax=MOST.to_string()
            aria-valuenow=move || widths.get(column).to_string()
            on:pointerdown=down
            on:pointermove=moved
            on:pointerup=up
            on:pointercancel=up
            on:dblclick=move |_| widths.fit(column)
            on:keydown=key
        ></span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_widths_are_taken_only_if_they_make_sense() {
        let good = DEFAULTS.map(|width| width.to_string()).join(",");
        assert_eq!(parse(&good), Some(DEFAULTS));
        for bad in [
            "",
            "100",
            "a,b,c",
            &good.replacen("196", "5", 1),
            &format!("{good},100"),
            &good.replacen("196", "NaN", 1),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
