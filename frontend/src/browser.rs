//! What the browser knows: storage, the viewer's clock and language, the clipboard.

use std::cell::LazyCell;

use activity_logs_model::Timestamp;
use js_sys::{Array, Date, Function, Intl, JSON, Object, Reflect};
use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlElement, Storage};

const MICROS_PER_MILLI: i64 = 1_000;

/// Kept until the tab is closed.
pub(crate) fn session_storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

/// Kept for this viewer.
pub(crate) fn local_storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Reads a kept text.
pub(crate) fn kept(storage: Option<Storage>, key: &str) -> Option<String> {
    storage?.get_item(key).ok().flatten()
}

/// Keeps a text; a browser that keeps nothing is no error.
pub(crate) fn keep(storage: Option<Storage>, key: &str, text: &str) {
    let _ = storage.map(|storage| storage.set_item(key, text));
}

/// Forgets a kept text.
pub(crate) fn forget(storage: Option<Storage>, key: &str) {
    let _ = storage.map(|storage| storage.remove_item(key));
}

/// A format of instants. Making one costs as much as a hundred uses.
type Format = LazyCell<Function, fn() -> Function>;

thread_local! {
    static TIME: Format = LazyCell::new(|| format(&[("dateStyle", "medium"), ("timeStyle", "short")]));
    static DAY: Format = LazyCell::new(|| format(&[("weekday", "short"), ("day", "numeric"), ("month", "short")]));
}

fn format(options: &[(&str, &str)]) -> Function {
    let given = Object::new();
    for (name, value) in options {
        let _ = Reflect::set(&given, &(*name).into(), &(*value).into());
    }
    Intl::DateTimeFormat::new(&Array::new(), &given).format()
}

fn formatted(format: &'static std::thread::LocalKey<Format>, at: Timestamp) -> String {
    let date = JsValue::from_f64(at.as_micros() as f64 / MICROS_PER_MILLI as f64);
    let text = format.with(|format| format.call1(&JsValue::UNDEFINED, &date)).ok();
    text.and_then(|text| text.as_string()).unwrap_or_else(|| at.to_string())
}

/// An instant in the viewer's time zone and language.
pub(crate) fn local_time(at: Timestamp) -> String {
    formatted(&TIME, at)
}

/// The day of an instant in the viewer's time zone and language.
pub(crate) fn local_day(at: Timestamp) -> String {
    formatted(&DAY, at)
}

/// Now.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(Date::now() as i64 * MICROS_PER_MILLI)
}

/// The first instant of today in the viewer's time zone.
pub(crate) fn today() -> Timestamp {
    let date = Date::new_0();
    date.set_hours(0);
    date.set_minutes(0);
    date.set_seconds(0);
    Timestamp::from_micros(date.set_milliseconds(0) as i64 * MICROS_PER_MILLI)
}

/// The instant of what a `datetime-local` field holds; it is in the viewer's time zone.
pub(crate) fn instant(field: &str) -> Option<Timestamp> {
    let millis = Date::new(&field.into()).get_time();
    (!field.is_empty() && millis.is_finite())
        .then(|| Timestamp::from_micros(millis as i64 * MICROS_PER_MILLI))
}

/// The name of the viewer's time zone, for example `Europe/Vienna`.
pub(crate) fn time_zone() -> String {
    let options = Intl::DateTimeFormat::new(&Array::new(), &Object::new()).resolved_options();
    let zone = Reflect::get(&options, &"timeZone".into()).ok().and_then(|zone| zone.as_string());
    zone.unwrap_or_else(|| "UTC".to_owned())
}

/// A number as the viewer's language writes it.
pub(crate) fn number(number: u64) -> String {
    let text = js_sys::Number::from(number as f64).to_locale_string("default");
    String::from(text)
}

/// JSON in lines that people read.
pub(crate) fn pretty(json: &str) -> String {
    let text = JSON::parse(json).and_then(|value| {
        JSON::stringify_with_replacer_and_space(&value, &JsValue::NULL, &2.into())
    });
    text.map_or_else(|_| json.to_owned(), String::from)
}

/// Puts a text onto the clipboard; gives whether the browser let it.
pub(crate) async fn copy(text: &str) -> bool {
    JsFuture::from(window().navigator().clipboard().write_text(text)).await.is_ok()
}

/// Names the tab.
pub(crate) fn set_title(page: &str) {
    document().set_title(&format!("{page} · Activity Logs"));
}

/// The first element that a selector finds.
pub(crate) fn element(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}

/// Moves the keyboard to the first element that a selector finds.
pub(crate) fn focus(selector: &str) {
    if let Some(element) = element(selector) {
        let _ = element.focus();
    }
}

/// Whether a media query holds.
pub(crate) fn matches(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|query| query.matches())
}
