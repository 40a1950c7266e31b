//! What the browser knows: storage, the viewer's clock and language, the clipboard.

use activity_logs_model::Timestamp;
use js_sys::{Array, Date, Intl, Object, Reflect};
use leptos::prelude::window;
use wasm_bindgen::JsValue;
use web_sys::Storage;

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

/// An instant in the viewer's time zone and language.
pub(crate) fn local_time(at: Timestamp) -> String {
    let options = Object::new();
    for (name, value) in [("dateStyle", "medium"), ("timeStyle", "short")] {
        let _ = Reflect::set(&options, &name.into(), &value.into());
    }
    let format = Intl::DateTimeFormat::new(&Array::new(), &options);
    let date = Date::new(&JsValue::from_f64(at.as_micros() as f64 / 1_000.0));
    let text = format.format().call1(&JsValue::UNDEFINED, &date).ok();
    text.and_then(|text| text.as_string()).unwrap_or_else(|| at.to_string())
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

/// Puts a text onto the clipboard.
pub(crate) fn copy(text: &str) {
    let _ = window().navigator().clipboard().write_text(text);
}
