//! The page: one file that needs nothing else, and the policy that lets a browser run it and no more.

use hyper::header::HeaderValue;
use rddm_manifest::Digest;

use super::answer::{self, Answer};
use crate::commands::compare::base64;

const PAGE: &str = include_str!("page.html");

pub(super) fn answer() -> Answer {
    answer::page(policy(), PAGE)
}

/// Scripts and styles by their digest, pictures that the page itself made, requests to this server.
fn policy() -> HeaderValue {
    let hash = |tag: &str| {
        let text = between(PAGE, &format!("<{tag}>"), &format!("</{tag}>"));
        format!("'sha256-{}'", base64(Digest::of(text.as_bytes()).as_bytes()))
    };
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src blob: data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    );
    // A policy that no header can hold would be this file's mistake; then nothing may run.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

fn between<'t>(text: &'t str, first: &str, last: &str) -> &'t str {
    let inner = text.split_once(first).and_then(|(_, rest)| rest.split_once(last));
    inner.map_or("", |(inner, _)| inner)
}
