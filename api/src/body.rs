//! The bodies of requests: bounded in size, in time, and all together in memory.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use activity_logs_model::ProblemCode;
use activity_logs_model::record::MAX_BODY_BYTES;
use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::problem::ApiError;

/// How much must have arrived for a second more.
const BYTES_A_SECOND: usize = 64 * 1024;
/// The memory of all bodies together is counted in units of this many bytes.
const UNIT: usize = 4 * 1024;
/// Larger bodies are read away from the threads that answer requests.
const LARGE: usize = 64 * 1024;
/// How many large bodies are read at once.
const LARGE_AT_ONCE: usize = 2;

/// The room that bodies share.
#[derive(Clone)]
pub struct Bodies {
    time: Duration,
    space: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A body that has arrived, unpacked; it takes its room as long as it lives.
pub(crate) struct Body {
    bytes: Bytes,
    space: Space,
}

/// What one body takes of the room.
struct Space {
    of: Arc<Semaphore>,
    units: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
}

impl Bodies {
    /// Room for `bytes` of bodies, each of which must be complete in `time` and a second for each
    /// 64 KiB of it.
    pub fn new(bytes: usize, time: Duration) -> Self {
        Self {
            time,
            space: Arc::new(Semaphore::new(bytes.div_ceil(UNIT))),
            turns: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
        }
    }

    /// The body of a request, as JSON text that nobody has looked into yet.
    ///
    /// # Errors
    /// A problem: not JSON by its headers, too large, too slow, or no room.
    pub(crate) async fn read(
        &self,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Body, ApiError> {
        let encoding = encoding_of(request)?;
        let announced = header_text(request, header::CONTENT_LENGTH);
        if announced.parse::<usize>().is_ok_and(|bytes| bytes > MAX_BODY_BYTES) {
            return Err(too_large());
        }
        let arrived = self.arrive(payload).await?;
        match encoding {
            Encoding::Plain => Ok(arrived),
            Encoding::Gzip => self.unpack(arrived).await,
        }
    }

    async fn arrive(&self, mut payload: Payload) -> Result<Body, ApiError> {
        let begun = Instant::now();
        let mut bytes = BytesMut::new();
        let mut space = Space { of: self.space.clone(), units: None };
        loop {
            let seconds = Duration::from_secs((bytes.len() / BYTES_A_SECOND) as u64);
            let next = timeout_at(begun + self.time + seconds, payload.next()).await;
            let Some(chunk) = next.map_err(|_| too_slow())? else { break };
            let chunk = chunk.map_err(|error| {
                let detail = format!("The body ended early ({error}); nothing was recorded.");
                ApiError::new(ProblemCode::MalformedJson, detail)
            })?;
            if bytes.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(too_large());
            }
            space.grow(bytes.len() + chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        Ok(Body { bytes: bytes.freeze(), space })
    }

    async fn unpack(&self, packed: Body) -> Result<Body, ApiError> {
        self.away(packed, |mut packed| {
            let mut plain = Vec::new();
            let limit = MAX_BODY_BYTES as u64 + 1;
            let unpacked =
                MultiGzDecoder::new(&packed.bytes[..]).take(limit).read_to_end(&mut plain);
            if plain.len() > MAX_BODY_BYTES {
                return Err(too_large());
            }
            if unpacked.is_err() {
                let detail = "The body is not valid gzip; nothing was recorded.";
                return Err(ApiError::new(ProblemCode::MalformedJson, detail));
            }
            packed.space.grow(plain.len())?;
            Ok(Body { bytes: plain.into(), space: packed.space })
        })
        .await?
    }

    /// Does what takes long with a large body where it keeps no request waiting, few at a time.
    ///
    /// # Errors
    /// When the work ends abnormally.
    pub(crate) async fn away<T: Send + 'static>(
        &self,
        body: Body,
        work: impl FnOnce(Body) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = self.turns.clone().acquire_owned().await.map_err(ApiError::internal)?;
        let work = move || {
            let _turn = turn;
            work(body)
        };
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
    }

    /// Reads a body: here if it is small, otherwise [away](Self::away).
    ///
    /// # Errors
    /// When the work ends abnormally.
    pub(crate) async fn parse<T: Send + 'static>(
        &self,
        body: Body,
        parse: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        if body.bytes.len() <= LARGE {
            return Ok(parse(&body.bytes));
        }
        self.away(body, move |body| parse(&body.bytes)).await
    }
}

impl Space {
    /// Takes as much as `bytes` need in all.
    fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        let has = self.units.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(has)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let more = self.of.clone().try_acquire_many_owned(more).map_err(|_| {
            ApiError::new(
                ProblemCode::QueueFull,
                "More bodies are under way than the service holds; nothing of this request was \
                 recorded. Try again shortly.",
            )
        })?;
        match &mut self.units {
            Some(units) => units.merge(more),
            None => self.units = Some(more),
        }
        Ok(())
    }
}

fn header_text(request: &HttpRequest, name: header::HeaderName) -> &str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn encoding_of(request: &HttpRequest) -> Result<Encoding, ApiError> {
    let media_type = header_text(request, header::CONTENT_TYPE);
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let encodings: Vec<_> = request.headers().get_all(header::CONTENT_ENCODING).collect();
    let encoding = match encodings[..] {
        [] => Some(Encoding::Plain),
        [name] if name.as_bytes().eq_ignore_ascii_case(b"identity") => Some(Encoding::Plain),
        [name] if name.as_bytes().eq_ignore_ascii_case(b"gzip") => Some(Encoding::Gzip),
        _ => None,
    };
    encoding.filter(|_| essence.eq_ignore_ascii_case("application/json")).ok_or_else(|| {
        ApiError::new(
            ProblemCode::UnsupportedMediaType,
            "Send the entries as `Content-Type: application/json`, plain or with \
             `Content-Encoding: gzip`.",
        )
    })
}

fn too_large() -> ApiError {
    let detail = format!(
        "A request may have {MAX_BODY_BYTES} bytes, unpacked; send the entries in several. \
         Nothing was recorded."
    );
    ApiError::new(ProblemCode::BodyTooLarge, detail)
}

fn too_slow() -> ApiError {
    let detail = "The body did not arrive in time; nothing was recorded. Send fewer entries at a \
                  time over a slow line.";
    ApiError::new(ProblemCode::RequestTimeout, detail)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn body(bodies: &Bodies, size: usize) -> Body {
        let space = Space { of: bodies.space.clone(), units: None };
        Body { bytes: vec![b' '; size].into(), space }
    }

    #[tokio::test]
    async fn large_bodies_are_read_elsewhere_and_few_at_a_time() {
        let bodies = Bodies::new(1024, Duration::ZERO);
        let here = thread::current().id();
        let place = |size| bodies.parse(body(&bodies, size), |_| thread::current().id());
        assert_eq!(place(LARGE).await.unwrap(), here);
        assert_ne!(place(LARGE + 1).await.unwrap(), here);

        let (at_once, most) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let parse = |_| {
            let (at_once, most) = (at_once.clone(), most.clone());
            bodies.parse(body(&bodies, LARGE + 1), move |_| {
                at_once.add_permits(1);
                let now = at_once.available_permits();
                most.add_permits(now.saturating_sub(most.available_permits()));
                thread::sleep(Duration::from_millis(20));
                at_once.forget_permits(1);
            })
        };
        futures_util::future::join_all((0..8).map(parse)).await;
        assert!((1..=LARGE_AT_ONCE).contains(&most.available_permits()));
    }

    #[test]
    fn a_body_takes_what_it_has_and_returns_it() {
        let bodies = Bodies::new(10 * UNIT, Duration::ZERO);
        let mut first = Space { of: bodies.space.clone(), units: None };
        let mut second = Space { of: bodies.space.clone(), units: None };
        for bytes in [0, 1, UNIT, UNIT + 1, 6 * UNIT] {
            first.grow(bytes).unwrap();
            assert_eq!(bodies.space.available_permits(), 10 - bytes.div_ceil(UNIT));
        }
        second.grow(4 * UNIT).unwrap();
        assert!(second.grow(4 * UNIT + 1).is_err());
        drop(first);
        second.grow(10 * UNIT).unwrap();
        drop(second);
        assert_eq!(bodies.space.available_permits(), 10);
    }
}
