use std::{error::Error as StdError, io, time::Duration};

use rddm_manifest::{Timestamp, printable};
use reqwest::{Url, blocking::Response, header};

use crate::{Error, now};

/// A failed attempt: what went wrong, and whether another attempt may go better.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) transient: bool,
    /// Whether the attempt brought enough bytes that the count of attempts begins again.
    pub(crate) progressed: bool,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the server says that it has no such file.
    pub(crate) absent: bool,
}

impl Failure {
    /// Another attempt would end the same way.
    pub(crate) fn lasting(error: Error) -> Self {
        Self { error, transient: false, progressed: false, retry_after: None, absent: false }
    }

    /// Another attempt may go better.
    pub(crate) fn transient(error: Error) -> Self {
        Self { error, transient: true, progressed: false, retry_after: None, absent: false }
    }

    /// The body broke off.
    pub(crate) fn broken(url: &Url, error: &io::Error) -> Self {
        Self::transient(Error::network(format!(
            "the transfer of {url} broke off: {}",
            reason(error)
        )))
    }

    pub(crate) fn of_request(url: &Url, error: &reqwest::Error) -> Self {
        let what = format!("cannot reach {url}: {}", reason(error));
        if error.is_builder()
            || error.is_request() && is_certificate(error)
            || is_certificate(error)
        {
            let next =
                "check the address and the clock; an authority of your own is named with --ca FILE";
            return Self::lasting(Error::network(what).with_next(next));
        }
        Self::transient(
            Error::network(what)
                .with_next("run it again: what came is kept; --offline uses what is here"),
        )
    }

    pub(crate) fn of_status(url: &Url, response: &Response) -> Self {
        let status = response.status();
        let error = Error::network(format!("{url} answers {status}"));
        match status.as_u16() {
            401 | 403 => Self::lasting(
                error.with_next("a registry that wants a token gets it with --token-file FILE"),
            ),
            408 | 425 | 429 | 500..=599 => Self {
                error,
                transient: true,
                progressed: false,
                retry_after: response
                    .headers()
                    .get(header::RETRY_AFTER)
                    .and_then(|value| retry_after(value.to_str().ok()?)),
                absent: false,
            },
            404 | 410 => Self { absent: true, ..Self::lasting(error) },
            _ => Self::lasting(error),
        }
    }
}

/// The whole chain of causes; the outermost text of an HTTP library alone says little.
pub(crate) fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    printable(&text)
}

/// Whether the server's certificate was refused, or it does not speak TLS.
fn is_certificate(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| is_certificate(inner)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Reads `Retry-After`: seconds, or a date such as `Wed, 21 Oct 2015 07:28:00 GMT`.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words.as_slice() else { return None };
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| name == month)? + 1;
    let moment: Timestamp = format!("{year}-{month:02}-{day}T{time}Z").parse().ok()?;
    Some(Duration::from_secs(moment.unix().saturating_sub(now().unix())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(
            retry_after("Fri, 31 Dec 9999 23:59:59 GMT") > Some(Duration::from_secs(1_000_000))
        );
        assert_eq!(retry_after("soon"), None);
    }
}
