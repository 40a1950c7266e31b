//! A connection that nobody holds open by doing nothing.
//!
//! actix limits how long the first head of a connection may take, and nothing else. Here an answer
//! must be taken, and what arrives between two requests must become one. And what actix refuses by
//! itself, before it is a request, is answered with a problem like everything else.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use activity_logs_model::{Problem, ProblemCode};
use actix_web::web::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::problem::PROBLEM_JSON;

/// A reader who takes less than this in the time that an answer may wait takes nothing.
const LEAST_TAKEN: usize = 16 * 1024;
/// More than the longest answer that actix makes by itself.
const LONGEST_REFUSAL: usize = 256;

/// How long a connection waits for the other side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For the rest of a head.
    pub(crate) head: Duration,
    /// For the next piece of an answer to be taken.
    pub(crate) answer: Duration,
}

/// Tells a connection about its requests.
#[derive(Clone, Default)]
pub(crate) struct Activity(Rc<Requests>);

#[derive(Default)]
struct Requests {
    under_way: Cell<usize>,
    has_begun: Cell<bool>,
}

/// A request that is under way as long as this lives.
pub(crate) struct UnderWay(Rc<Requests>);

impl Activity {
    /// A request has begun.
    pub(crate) fn begin(&self) -> UnderWay {
        self.0.under_way.set(self.0.under_way.get() + 1);
        self.0.has_begun.set(true);
        UnderWay(self.0.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

/// A time by which something must have happened; none while nothing is waited for.
#[derive(Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    fn start(&mut self, patience: Duration) {
        self.0.get_or_insert_with(|| Box::pin(sleep(patience)));
    }

    fn clear(&mut self) {
        self.0 = None;
    }

    /// Whether it has passed; if not, wakes the task when it does.
    fn has_passed(&mut self, context: &mut Context<'_>) -> bool {
        self.0.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready())
    }
}

/// One TCP connection.
pub(crate) struct Connection {
    stream: TcpStream,
    patience: Patience,
    activity: Activity,
    head: Deadline,
    answer: Deadline,
    /// How much was taken since the answer has been waiting.
    taken: usize,
    /// What is sent in place of an empty refusal.
    refusal: Bytes,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, patience: Patience) -> Self {
        Self {
            stream,
            patience,
            activity: Activity::default(),
            head: Deadline::default(),
            answer: Deadline::default(),
            taken: 0,
            refusal: Bytes::new(),
        }
    }

    pub(crate) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes)? {
            Poll::Ready(taken) => {
                self.taken += taken;
                if taken == bytes.len() || self.taken >= LEAST_TAKEN {
                    self.answer.clear();
                    self.taken = 0;
                }
                Poll::Ready(Ok(taken))
            }
            Poll::Pending => {
                self.answer.start(self.patience.answer);
                if self.answer.has_passed(context) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
        }
    }

    fn write_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let refusal = self.refusal.clone();
            let written = ready!(self.write(context, &refusal))?;
            self.refusal.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let requests = &this.activity.0;
        if requests.has_begun.take() || requests.under_way.get() > 0 || this.answer.0.is_some() {
            this.head.clear();
        }
        let has_arrived = buffer.filled().len() > before;
        if has_arrived && requests.under_way.get() == 0 && this.answer.0.is_none() {
            this.head.start(this.patience.head);
        }
        if this.head.has_passed(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.write_refusal(context))?;
        match find_refusal(bytes) {
            Some((0, refusal)) => {
                this.refusal = refusal;
                // Taken as a whole; what takes its place is written here or when it is flushed.
                let _ = this.write_refusal(context)?;
                Poll::Ready(Ok(bytes.len()))
            }
            Some((begin, _)) => this.write(context, &bytes[..begin]),
            None => this.write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.write_refusal(context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.write_refusal(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

/// Where at the end of `bytes` an answer begins that actix has made by itself (it is empty and has
/// no request id), and what is said in its place.
fn find_refusal(bytes: &[u8]) -> Option<(usize, Bytes)> {
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let begin = bytes.len().saturating_sub(LONGEST_REFUSAL);
    let tail = std::str::from_utf8(&bytes[begin..]).ok()?;
    let begin = begin + tail.rfind("HTTP/1.")?;
    let head = std::str::from_utf8(&bytes[begin..]).ok()?;
    let (line, headers) = head.split_once("\r\n")?;
    if headers.contains("x-request-id:") || !headers.contains("content-length: 0\r\n") {
        return None;
    }
    let (code, detail) = match line.split(' ').nth(1)? {
        "400" => (
            ProblemCode::MalformedRequest,
            "This is not an HTTP request that the service can read. Its address may have 65,534 \
             bytes; a listing with more filters is best asked for in parts.",
        ),
        "408" => (
            ProblemCode::RequestTimeout,
            "The request's head did not arrive in time; nothing was done.",
        ),
        "431" => (
            ProblemCode::HeadersTooLarge,
            "The request's address and headers may have 128 KiB together; nothing was done.",
        ),
        _ => return None,
    };
    let body = serde_json::to_string(&Problem::new(code, detail)).ok()?;
    let length = body.len();
    Some((
        begin,
        format!(
            "{line}\r\ncontent-length: {length}\r\nconnection: close\r\n\
             content-type: {PROBLEM_JSON}\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\n\r\n{body}"
        )
        .into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\
        date: Wed, 25 Nov 2026 12:00:00 GMT\r\n\r\n";

    #[test]
    fn what_actix_refuses_becomes_a_problem() {
        let (begin, said) = find_refusal(REFUSAL.as_bytes()).unwrap();
        let said = String::from_utf8(said.to_vec()).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert_eq!(begin, 0);
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        let problem: Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.code, Some(ProblemCode::MalformedRequest));

        let after = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok{REFUSAL}");
        assert_eq!(find_refusal(after.as_bytes()).unwrap().0, after.len() - REFUSAL.len());
    }

    #[test]
    fn what_the_service_answers_stays_as_it_is() {
        for answer in [
            &REFUSAL.replace("date:", "x-request-id: 1\r\ndate:"),
            &REFUSAL.replace("400 Bad Request", "304 Not Modified"),
            &REFUSAL.replace("content-length: 0", "content-length: 9"),
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\r\n\r\n",
            "text\r\n\r\n",
            "",
        ] {
            assert_eq!(find_refusal(answer.as_bytes()), None, "{answer}");
        }
    }
}
