//! What goes back to a client.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::failure::{Failure, code};

pub(super) type Answer = Response<Full<Bytes>>;

/// Kept by every browser that shows or runs what it gets.
const HEADERS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

pub(super) fn ok(kind: &'static str, body: impl Into<Bytes>) -> Answer {
    whole(StatusCode::OK, kind, body.into())
}

pub(super) fn page(policy: HeaderValue, body: &'static str) -> Answer {
    let mut answer = ok("text/html; charset=utf-8", body);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    answer
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    // What is written here are texts and numbers.
    let text = serde_json::to_vec_pretty(value).unwrap_or_default();
    whole(status, "application/json", text.into())
}

/// There is nothing to say.
pub(super) fn nothing() -> Answer {
    bare(StatusCode::NO_CONTENT, Bytes::new())
}

fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = bare(status, body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn bare(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}

/// A request that is not fulfilled: the status, what is wrong, and what to do next.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(serialize_with = "number")]
    status: StatusCode,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip)]
    header: Option<(HeaderName, String)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), next: None, header: None }
    }

    pub(super) fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    pub(super) fn allowing(mut self, methods: String) -> Self {
        self.header = Some((ALLOW, methods));
        self
    }

    /// As many pictures are worked on as may be.
    pub(super) fn busy() -> Self {
        let what = "the server works on as many pictures as it may";
        Self {
            header: Some((RETRY_AFTER, "2".to_owned())),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, what).with_next("try again in 2 seconds")
        }
    }

    pub(super) fn cancelled() -> Self {
        Self::new(StatusCode::GONE, "the restoration was cancelled")
    }

    pub(super) fn answer(&self) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            schema: u32,
            error: &'a Refusal,
        }
        let mut answer = json(self.status, &Body { schema: 1, error: self });
        // Plain words, which fit into a header.
        if let Some((name, Ok(value))) =
            self.header.as_ref().map(|(name, value)| (name, HeaderValue::from_str(value)))
        {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

/// The status that stands for an exit code.
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = match failure.code {
            code::USAGE => StatusCode::BAD_REQUEST,
            code::INPUT => StatusCode::UNPROCESSABLE_ENTITY,
            code::MODEL => StatusCode::NOT_FOUND,
            code::INTERRUPTED => {
                let what = "the server is being stopped";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, what);
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { next: failure.next, ..Self::new(status, failure.what) }
    }
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
