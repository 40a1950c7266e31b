//! What the OpenAPI document says that each operation may answer.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

/// The document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = activity_logs::openapi::document();
    serde_json::from_str(&text).expect("the document is JSON")
});

/// The codes of problems that an operation of the document names, each with its status.
pub fn codes(operation: &Value) -> BTreeSet<(u16, String)> {
    let mut codes = BTreeSet::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let Some(status) = status.parse().ok().filter(|status| *status >= 400) else { continue };
        // `code`: title. `code`: title
        let words = response["description"].as_str().unwrap_or_default().split('`');
        codes.extend(words.skip(1).step_by(2).map(|code| (status, code.to_owned())));
    }
    codes
}

/// The operation that a request is of; of another method, the path's first. `None` where the
/// document does not have the path.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let fits = |pattern: &&String| {
        let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(pattern), Some(segment)) if pattern == segment => {}
                (Some(pattern), Some(_)) if pattern.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let paths = DOCUMENT["paths"].as_object()?;
    let pattern = paths.keys().filter(fits).min_by_key(|pattern| pattern.matches('{').count())?;
    let operations = paths[pattern].as_object()?;
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    operations.get(&method).or_else(|| operations.values().next())
}

/// Checks that the document says that this request may be answered with this problem.
///
/// # Panics
/// When it does not.
pub fn check(method: &str, path: &str, status: u16, code: &str) {
    if let Some(operation) = operation(method, path) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        let is_known = codes(operation).contains(&(status, code.to_owned()));
        assert!(is_known, "{id} answers {status} {code}, which its document does not say");
    }
}
