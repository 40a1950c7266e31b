//! Answers that are one page of several.

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;

/// A page with the addresses of the others.
pub(crate) fn answer(body: &impl Serialize, links: &str) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::LINK, links)).json(body)
}

/// The `Link` header (RFC 8288): other pages of the same list, whose queries `query` writes. They
/// are relative to the address that was asked for, which a proxy may have below a path of its own.
pub(crate) fn links(page: u64, total_pages: u64, query: impl Fn(u64) -> String) -> String {
    let last = total_pages.max(1);
    let mut pages = vec![("first", 1)];
    if page > 1 {
        pages.push(("prev", (page - 1).min(last)));
    }
    if page < last {
        pages.push(("next", page + 1));
    }
    pages.push(("last", last));
    let link = |(rel, page)| format!("<?{}>; rel=\"{rel}\"", query(page));
    pages.into_iter().map(link).collect::<Vec<_>>().join(", ")
}
