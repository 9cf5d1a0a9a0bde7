//! The body of a request, read within bounds of size and time.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;
use hyper::{HeaderMap, StatusCode};

use super::answer::Refusal;

/// What a body may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) time: Duration,
}

/// Reads a body to its end.
pub(super) async fn read(body: &mut Incoming, bounds: Bounds) -> Result<Vec<u8>, Refusal> {
    if body.size_hint().lower() > bounds.bytes {
        return Err(too_large(bounds.bytes));
    }
    let all = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"))
            })?;
            let Some(data) = frame.data_ref() else { continue };
            if (bytes.len() + data.len()) as u64 > bounds.bytes {
                return Err(too_large(bounds.bytes));
            }
            bytes.extend_from_slice(data);
        }
        Ok(bytes)
    };
    tokio::time::timeout(bounds.time, all).await.unwrap_or_else(|_| {
        let what = format!("the body took longer than {:.0?}", bounds.time);
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, what))
    })
}

/// Lets a body that nobody wants run out, within bounds: a client that is still sending when the
/// connection ends may never see the answer.
pub(super) async fn discard(body: &mut Incoming, headers: &HeaderMap, bounds: Bounds) {
    // This client waits for a word before it sends.
    if headers.contains_key(EXPECT) {
        return;
    }
    let all = async {
        let mut left = bounds.bytes.saturating_mul(4);
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Who is slower than that is told, whether it still listens or not.
    let _ = tokio::time::timeout(bounds.time.min(Duration::from_secs(5)), all).await;
}

fn too_large(most: u64) -> Refusal {
    let what = format!("the body is larger than the {most} bytes that are taken here");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, what)
        .with_next("take a smaller file, or start the server with a larger --max-body")
}
