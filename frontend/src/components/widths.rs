//! Column widths: changed by mouse, touch and keyboard, kept for the viewer.

use activity_logs_model::UserId;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::{HtmlElement, PointerEvent};

use crate::browser::{element, forget, keep, kept, local_storage};

/// How many columns the table has.
pub(crate) const COLUMNS: usize = 9;
const KEY: &str = "activity-logs.widths";
const LEAST: i32 = 56;
const MOST: i32 = 1_600;
const STEP: i32 = 16;
/// What fits a column has this much room beside its text.
const PADDING: i32 = 26;
const DEFAULTS: [i32; COLUMNS] = [202, 112, 126, 122, 108, 112, 128, 126, 132];

/// The widths of the columns in CSS pixels.
#[derive(Clone, Copy)]
pub(crate) struct Widths {
    widths: RwSignal<[i32; COLUMNS]>,
    key: StoredValue<String>,
}

impl Widths {
    /// Those that this viewer left, or the defaults. Several people may share a browser.
    pub(crate) fn load(viewer: &UserId) -> Self {
        let key = format!("{KEY}.{viewer}");
        let widths = kept(local_storage(), &key).and_then(|text| parse(&text)).unwrap_or(DEFAULTS);
        Self { widths: RwSignal::new(widths), key: StoredValue::new(key) }
    }

    /// The width of a column, followed.
    pub(crate) fn get(self, column: usize) -> i32 {
        self.widths.with(|widths| widths[column])
    }

    /// The width of all, followed.
    pub(crate) fn total(self) -> i32 {
        self.widths.with(|widths| widths.iter().sum())
    }

    fn set(self, column: usize, width: i32) {
        self.widths.update(|widths| widths[column] = width.clamp(LEAST, MOST));
    }

    fn save(self) {
        let text =
            self.widths.with_untracked(|widths| widths.map(|width| width.to_string()).join(","));
        self.key.with_value(|key| keep(local_storage(), key, &text));
    }

    /// Lets columns that nobody has changed take the room there is.
    pub(crate) fn fill(self, room: i32) {
        if self.widths.with_untracked(|widths| *widths == DEFAULTS) {
            self.widths.set(stretched(room));
        }
    }

    /// Back to the defaults.
    pub(crate) fn reset(self) {
        self.widths.set(stretched(element(".table-frame").map_or(0, |frame| frame.client_width())));
        self.key.with_value(|key| forget(local_storage(), key));
    }

    /// As wide as the widest text of the column.
    fn fit(self, column: usize) {
        let cells = document()
            .query_selector_all(&format!("table.log tr > :nth-child({}) > .cell", column + 1));
        let Ok(cells) = cells else { return };
        let widest = (0..cells.length())
            .filter_map(|index| cells.item(index)?.dyn_into::<HtmlElement>().ok())
            .map(|cell| cell.scroll_width())
            .fold(0, i32::max);
        self.set(column, widest + PADDING);
        self.save();
    }
}

/// The defaults, each wider by the same share where there is more room than they need.
fn stretched(room: i32) -> [i32; COLUMNS] {
    let needed = DEFAULTS.iter().sum::<i32>();
    if room <= needed {
        return DEFAULTS;
    }
    let mut widths = DEFAULTS.map(|width| (width * room / needed).min(MOST));
    widths[COLUMNS - 1] += (room - widths.iter().sum::<i32>()).clamp(0, STEP);
    widths
}

fn parse(text: &str) -> Option<[i32; COLUMNS]> {
    let widths: Vec<i32> = text.split(',').map_while(|width| width.parse().ok()).collect();
    let widths: [i32; COLUMNS] = widths.try_into().ok()?;
    widths.iter().all(|width| (LEAST..=MOST).contains(width)).then_some(widths)
}

/// The handle at the right edge of a column's head.
#[component]
pub(crate) fn Resizer(widths: Widths, column: usize, label: &'static str) -> impl IntoView {
    let grabbed = RwSignal::new(None::<(i32, i32)>);
    let down = move |event: PointerEvent| {
        event.prevent_default();
        if let Some(handle) =
            event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok())
        {
            let _ = handle.set_pointer_capture(event.pointer_id());
            let _ = handle.focus();
        }
        grabbed.set(Some((event.client_x(), widths.get(column))));
    };
    let moved = move |event: PointerEvent| {
        if let Some((from, width)) = grabbed.get_untracked() {
            widths.set(column, width + event.client_x() - from);
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
    fn columns_fill_a_wide_window() {
        assert_eq!(stretched(800), DEFAULTS);
        for room in [1_169, 2_000, 2_531] {
            let widths = stretched(room);
            assert_eq!(widths.iter().sum::<i32>(), room);
            assert!(widths.iter().zip(DEFAULTS).all(|(width, least)| *width >= least));
        }
    }

    #[test]
    fn kept_widths_are_taken_only_if_they_make_sense() {
        let good = DEFAULTS.map(|width| width.to_string()).join(",");
        assert_eq!(parse(&good), Some(DEFAULTS));
        for bad in [
            "",
            "100",
            "a,b,c",
            &good.replacen("202", "5", 1),
            &format!("{good},100"),
            &good.replacen("202", "NaN", 1),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
