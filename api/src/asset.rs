//! What is answered from memory: the files of the web app and of the API reference, and the
//! OpenAPI document.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;

use activity_logs_model::ProblemCode;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::problem::ApiError;

/// For names that hold a hash of the content: what they name never changes.
pub(crate) const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// For all others: asked for again each time, and sent again when it has changed.
pub(crate) const ASK_AGAIN: &str = "no-cache";

/// A file in the forms in which clients take it.
pub(crate) struct Asset {
    pub(crate) media_type: Cow<'static, str>,
    cache: &'static str,
    policy: Option<&'static str>,
    tag: String,
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
}

impl Asset {
    /// A file that is asked for again each time.
    pub(crate) fn new(media_type: impl Into<Cow<'static, str>>, plain: impl Into<Bytes>) -> Self {
        let plain = plain.into();
        let mut hasher = DefaultHasher::new();
        plain.hash(&mut hasher);
        // Weak: it names the content, and not the form in which that is sent.
        let tag = format!("W/\"{:016x}\"", hasher.finish());
        let media_type = media_type.into();
        Self { media_type, cache: ASK_AGAIN, policy: None, tag, plain, brotli: None, gzip: None }
    }

    /// The same, kept as long as the client likes.
    pub(crate) fn for_ever(self) -> Self {
        Self { cache: FOR_EVER, ..self }
    }

    /// The same with a Content-Security-Policy.
    pub(crate) fn under(self, policy: &'static str) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// The same with what it compresses to.
    pub(crate) fn forms(self, brotli: Option<Bytes>, gzip: Option<Bytes>) -> Self {
        Self { brotli, gzip, ..self }
    }

    /// The same, compressed here.
    pub(crate) fn compressed(self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        // Writing to memory does not fail; if it did, the plain form would do.
        let gzip = encoder.write_all(&self.plain).and_then(|()| encoder.finish()).ok();
        Self { gzip: gzip.map(Bytes::from), ..self }
    }

    /// The smallest form that the client takes, or that it has the current one already.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let detail = "This resource has only: GET, HEAD.";
            let mut response =
                ApiError::new(ProblemCode::MethodNotAllowed, detail).error_response();
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let is_current = self.is_named_in(request.headers());
        let mut response =
            if is_current { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((header::CACHE_CONTROL, self.cache));
        response.insert_header((header::VARY, "Accept-Encoding"));
        response.insert_header((header::ETAG, self.tag.as_str()));
        if let Some(policy) = self.policy {
            response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
        }
        if is_current {
            return response.finish();
        }
        response.content_type(self.media_type.as_ref());
        let (encoding, body) = self.encoded_for(request.headers());
        if let Some(encoding) = encoding {
            response.insert_header((header::CONTENT_ENCODING, encoding));
        }
        response.body(body.clone())
    }

    fn is_named_in(&self, headers: &HeaderMap) -> bool {
        let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
        items(headers, header::IF_NONE_MATCH)
            .any(|(tag, _)| tag == "*" || opaque(tag) == opaque(&self.tag))
    }

    /// The smallest form that the client takes, and what that form is called.
    fn encoded_for(&self, headers: &HeaderMap) -> (Option<&'static str>, &Bytes) {
        let quality = |wanted: &str| {
            let named = items(headers, header::ACCEPT_ENCODING).find(|(name, _)| *name == wanted);
            let any = || items(headers, header::ACCEPT_ENCODING).find(|(name, _)| *name == "*");
            named.or_else(any).map_or(0.0, |(_, quality)| quality)
        };
        let (brotli, gzip) = (quality("br"), quality("gzip"));
        match (&self.brotli, &self.gzip) {
            (Some(body), _) if brotli > 0.0 && (brotli >= gzip || self.gzip.is_none()) => {
                (Some("br"), body)
            }
            (_, Some(body)) if gzip > 0.0 => (Some("gzip"), body),
            _ => (None, &self.plain),
        }
    }
}

/// Whether the client asks for a page by name, as browsers do; what takes anything (`*/*`) is a
/// program.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    items(headers, header::ACCEPT)
        .any(|(kind, quality)| kind.eq_ignore_ascii_case("text/html") && quality > 0.0)
}

/// The items of a list like `br;q=0.9, gzip` with their qualities; what can't be read has none.
fn items(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = (&str, f32)> {
    let lines = headers.get_all(name).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        (value, quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody as _;
    use actix_web::test::TestRequest;

    use super::*;

    fn asset() -> Asset {
        Asset::new("text/plain", "plain")
            .forms(Some(Bytes::from("in br")), Some(Bytes::from("in gzip")))
    }

    fn get(asset: &Asset, headers: &[(&str, &str)]) -> (u16, String, HeaderMap) {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = asset.answer(&request.to_http_request());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().try_into_bytes().unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), headers)
    }

    #[test]
    fn each_client_gets_the_smallest_form_it_takes() {
        for (accepted, encoding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip;q=1.0, br;q=0.5", "gzip"),
            ("br;q=0, gzip", "gzip"),
            ("*", "br"),
            ("*;q=0", ""),
            ("br;q=much", ""),
            ("identity", ""),
        ] {
            let (status, body, headers) = get(&asset(), &[("accept-encoding", accepted)]);
            let sent = headers.get("content-encoding").map_or("", |value| value.to_str().unwrap());
            assert_eq!((status, sent), (200, encoding), "{accepted}");
            let form = if encoding.is_empty() { "plain" } else { &format!("in {encoding}") };
            assert_eq!(body, form, "{accepted}");
            assert_eq!(headers.get("vary").unwrap(), "Accept-Encoding");
        }
        let no_brotli = asset().forms(None, Some(Bytes::from("in gzip")));
        assert_eq!(get(&no_brotli, &[("accept-encoding", "br, gzip;q=0.1")]).1, "in gzip");
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let (_, _, headers) = get(&asset(), &[]);
        let tag = headers.get("etag").unwrap().to_str().unwrap();
        for named in [tag, &format!("\"x\", {tag}"), tag.trim_start_matches("W/"), "*"] {
            let (status, body, headers) = get(&asset(), &[("if-none-match", named)]);
            assert_eq!((status, body.as_str()), (304, ""), "{named}");
            assert_eq!(headers.get("etag").unwrap(), tag);
            assert_eq!(headers.get("cache-control").unwrap(), ASK_AGAIN);
        }
        assert_eq!(get(&Asset::new("text/plain", "other"), &[("if-none-match", tag)]).0, 200);
    }

    #[test]
    fn what_is_compressed_here_unpacks_to_itself() {
        let (_, _, headers) = get(&Asset::new("text/plain", "plain").compressed(), &[]);
        assert!(headers.get("content-encoding").is_none(), "only for who takes it");
        let asset = Asset::new("text/plain", "plain".repeat(100)).compressed();
        let mut text = String::new();
        let gzip = asset.gzip.unwrap();
        assert!(gzip.len() < 100);
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gzip[..]), &mut text)
            .unwrap();
        assert_eq!(text, "plain".repeat(100));
    }
}
