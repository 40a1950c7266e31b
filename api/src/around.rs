//! What is around every request: its id, its line in the log, its metrics, and headers that keep
//! answers out of caches, sniffers and frames.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody, SizedStream};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures_util::stream;
use tracing::Instrument;
use uuid::Uuid;

use crate::connection::Activity;
use crate::extract::RequestId;
use crate::metrics::{answered, method_name};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// For what is no page: it may do nothing, and nobody may frame it.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
/// A connection keeps a copy of what it is sending: not more than this of one answer.
const PIECE: usize = 32 * 1024;
/// What is asked again and again by programs that watch the service.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// The middleware around all routes.
///
/// # Errors
/// Those of the handler, passed on.
pub(crate) async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let under_way = request.request().conn_data::<Activity>().map(Activity::begin);
    let id = accepted_request_id(&request).unwrap_or_else(|| Uuid::now_v7().to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    // Of closed sets: ids, filters and whatever else a caller sends stay out of the log.
    let method = method_name(request.method());
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let is_head = request.method() == Method::HEAD;
    let is_upgrade = request.head().upgrade();
    let span = tracing::info_span!("request", request_id = %id);
    let mut response = next.call(request).instrument(span.clone()).await?;

    let status = response.status().as_u16();
    let took = started.elapsed();
    let took_us = took.as_micros() as u64;
    span.in_scope(|| {
        if PROBES.contains(&route.as_str()) {
            tracing::debug!(method, route, status, took_us, "answered");
        } else {
            tracing::info!(method, route, status, took_us, "answered");
        }
    });
    answered(method, &route, status, took);

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if is_upgrade {
        // There is no other protocol to change to; left alone, the answer would repeat the wish.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    drop(under_way);
    Ok(response.map_body(|_, body| if is_head { without_body(&body) } else { in_pieces(body) }))
}

/// An answer to HEAD: as long as the one to GET, and nothing of it. (The HTTP layer leaves a body
/// out by the last request that it has read, which is another where a client does not wait.)
fn without_body(body: &impl MessageBody) -> BoxBody {
    struct Nothing(BodySize);

    impl MessageBody for Nothing {
        type Error = Error;

        fn size(&self) -> BodySize {
            self.0
        }

        fn poll_next(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Bytes, Error>>> {
            Poll::Ready(None)
        }
    }

    BoxBody::new(Nothing(body.size()))
}

fn in_pieces(body: impl MessageBody + 'static) -> BoxBody {
    let mut bytes = match body.try_into_bytes() {
        Ok(bytes) if bytes.len() > PIECE => bytes,
        Ok(bytes) => return BoxBody::new(bytes),
        Err(body) => return BoxBody::new(body),
    };
    let size = bytes.len() as u64;
    let pieces = std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        (!piece.is_empty()).then_some(Ok::<_, Error>(piece))
    });
    BoxBody::new(SizedStream::new(size, stream::iter(pieces)))
}

fn accepted_request_id(request: &ServiceRequest) -> Option<String> {
    let text = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let acceptable = (1..=128).contains(&text.len())
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-' | b'/' | b'+' | b'=')
        });
    acceptable.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged about a request, from this level on.
    async fn logged(request: TestRequest, level: tracing::Level) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let app = App::new()
            .wrap(from_fn(around))
            .route("/livez", web::to(HttpResponse::Ok))
            .route("/things/{id}", web::to(HttpResponse::Ok));
        call_service(&init_service(app).await, request.to_request()).await;
        let lines = lines.0.lock().unwrap();
        String::from_utf8(lines.clone()).unwrap()
    }

    #[actix_web::test]
    async fn a_line_holds_nothing_that_the_caller_made_long() {
        let long = "X".repeat(20_000);
        let request = TestRequest::with_uri(&format!("/things/{long}?{long}"))
            .method(Method::from_bytes(long.as_bytes()).unwrap())
            .insert_header(("x-request-id", long.as_str()))
            .insert_header(("user-agent", long.as_str()))
            .insert_header(("authorization", long.as_str()));
        let line = logged(request, tracing::Level::TRACE).await;
        assert!(line.contains("/things/{id}") && line.contains("other"), "{line}");
        assert!(!line.contains("XX") && line.len() < 1_000, "{} bytes", line.len());
        let taken = TestRequest::with_uri("/things/1").insert_header(("x-request-id", "abc-1"));
        assert!(logged(taken, tracing::Level::INFO).await.contains("abc-1"));
    }

    #[actix_web::test]
    async fn probes_are_logged_for_who_debugs() {
        let probe = || TestRequest::with_uri("/livez");
        assert_eq!(logged(probe(), tracing::Level::INFO).await, "");
        assert!(logged(probe(), tracing::Level::DEBUG).await.contains("/livez"));
    }
}
