//! Who asks: programs of this machine, and the server's own page, but no other page.
//!
//! A page from elsewhere runs in a browser of this machine, so the loopback alone keeps nobody out.
//! A name that was pointed at the loopback (DNS rebinding) is seen by its Host, a request that another
//! page sends by its Origin or by Sec-Fetch-Site.

use std::net::SocketAddr;

use hyper::header::{HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};

use super::answer::Refusal;

/// The names by which the server may be asked.
pub(super) struct Guard {
    hosts: Vec<String>,
}

impl Guard {
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut hosts = vec![address.to_string(), format!("localhost:{}", address.port())];
        // The port that a browser leaves out.
        if address.port() == 80 {
            let without = |host: &String| host.strip_suffix(":80").map(str::to_owned);
            hosts.extend(hosts.iter().filter_map(without).collect::<Vec<_>>());
        }
        Self { hosts }
    }

    pub(super) fn check(&self, head: &Parts) -> Result<(), Refusal> {
        let host = self.host(head)?;
        if let Some(origin) = head.headers.get(ORIGIN) {
            let own = format!("http://{host}");
            if !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()) {
                return Err(elsewhere());
            }
        }
        match text(&head.headers, "sec-fetch-site") {
            None | Some("same-origin" | "none") => Ok(()),
            // Somebody followed a link.
            Some(_)
                if head.method == Method::GET
                    && text(&head.headers, "sec-fetch-mode") == Some("navigate") =>
            {
                Ok(())
            }
            Some(_) => Err(elsewhere()),
        }
    }

    fn host<'h>(&self, head: &'h Parts) -> Result<&'h str, Refusal> {
        let mut hosts = head.headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let known = |name: &&str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(name));
        let named = head.uri.authority().map(|authority| authority.as_str());
        match host.filter(known) {
            Some(host) if named.is_none_or(|name| known(&name)) => Ok(host),
            _ => {
                let what = "the request is for another host than this server";
                Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, what)
                    .with_next(format!("ask for http://{}/", self.hosts[0])))
            }
        }
    }
}

fn elsewhere() -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "the request comes from a page of another site")
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
