//! Asking the service for what a part of a page shows.

use std::future::Future;

use leptos::prelude::*;
use leptos::task::spawn_local;

/// What an asynchronous question answers; `None` until it does. `question` is called again when
/// what it follows changes; an answer to a question that is no longer asked is dropped.
pub(crate) fn ask<T, F>(question: impl Fn() -> F + 'static) -> RwSignal<Option<T>>
where
    T: Send + Sync + 'static,
    F: Future<Output = T> + 'static,
{
    let answer = RwSignal::new(None);
    let newest = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let future = question();
        newest.update_value(|newest| *newest += 1);
        let turn = newest.get_value();
        spawn_local(async move {
            let got = future.await;
            if newest.try_get_value() == Some(turn) {
                let _ = answer.try_set(Some(got));
            }
        });
    });
    answer
}
