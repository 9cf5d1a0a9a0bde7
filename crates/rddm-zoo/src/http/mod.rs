//! The client's own care around an HTTP library: bounded redirects that keep tokens at home,
//! plain bodies only, retries that wait as long as they are told to, and no socket when offline.

mod failure;
pub(crate) mod pace;
mod retry;

use std::{
    fmt,
    io::{self, Read},
    net::IpAddr,
    sync::OnceLock,
    time::Duration,
};

use reqwest::{
    StatusCode, Url,
    blocking::{Client, ClientBuilder, Response},
    header,
};

pub(crate) use failure::Failure;
pub(crate) use retry::retrying;

use self::pace::Pace;
use crate::{Error, ErrorKind, Place, event::Observer, store::CHUNK};

/// How servers are talked to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpOptions {
    /// Attempts after the first that are made without progress before a transfer is given up.
    pub retries: u32,
    /// The wait before the first retry; it doubles each time, to 30 s at most, less a random part.
    pub backoff: Duration,
    /// A transfer that stands still for so long, or is slower than [`HttpOptions::least_speed`]
    /// over it, is broken off and tried again.
    pub stall: Duration,
    /// The least speed, bytes a second.
    pub least_speed: u64,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// Which proxy is used, but for this machine's own servers.
    pub proxy: Proxy,
    /// Certificates (PEM) of further authorities that may vouch for servers.
    pub authorities: Vec<Vec<u8>>,
    /// A secret for one registry.
    pub token: Option<Token>,
}

/// Which proxy is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// None.
    #[default]
    None,
    /// What the system or the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`) says.
    System,
    /// This one.
    Url(String),
}

/// A secret that is sent to one registry, as `Authorization: Bearer`, and to no other host,
/// port or scheme.
#[derive(Clone)]
pub struct Token {
    secret: String,
    registry: Url,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            retries: 4,
            backoff: Duration::from_millis(500),
            stall: Duration::from_secs(10),
            least_speed: 512,
            connect: Duration::from_secs(15),
            proxy: Proxy::None,
            authorities: Vec::new(),
            token: None,
        }
    }
}

impl Token {
    /// A token for `registry`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the registry is a folder, or an `http:` URL that is not this
    /// machine's own, where others could read the token on its way.
    pub fn new(secret: &str, registry: &Place) -> Result<Self, Error> {
        let Place::Url(url) = registry else {
            return Err(Error::usage(format!("{registry} is a folder and takes no token")));
        };
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(Error::usage(format!(
                "a token is not sent to {url}, because http is not encrypted"
            )));
        }
        let secret = secret.trim();
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::usage("a token is one word of printable ASCII"));
        }
        Ok(Self { secret: secret.to_owned(), registry: url.clone() })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("registry", &self.registry.as_str()).finish_non_exhaustive()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// A client of HTTP, or the promise that there will be none. It is made when it is first used.
#[derive(Debug)]
pub struct Http {
    options: HttpOptions,
    /// One that asks by way of the proxy, and one that does not.
    clients: [OnceLock<Client>; 2],
    offline: bool,
}

/// A part of a file that is asked for: all bytes from `from` on.
pub(crate) struct Rest<'a> {
    pub(crate) from: u64,
    /// The strong entity tag that the bytes so far had.
    pub(crate) tag: Option<&'a str>,
}

const MAX_REDIRECTS: usize = 5;

impl Http {
    /// A client that behaves as `options` say.
    pub fn new(options: HttpOptions) -> Self {
        Self { options, clients: Default::default(), offline: false }
    }

    /// A client that opens no socket and resolves no name: every request is an error.
    pub fn offline() -> Self {
        Self { options: HttpOptions::default(), clients: Default::default(), offline: true }
    }

    /// Whether every request is refused.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    pub(crate) fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// The whole file at `url`, which may have at most `limit` bytes.
    pub(crate) fn small(
        &self,
        url: &Url,
        limit: usize,
        observer: Observer<'_>,
    ) -> Result<Vec<u8>, Error> {
        let bytes = self.small_or_absent(url, limit, observer)?;
        bytes.ok_or_else(|| Error::network(format!("{url} does not exist")))
    }

    /// As [`Http::small`]; `None` if the server says that there is no such file.
    pub(crate) fn small_or_absent(
        &self,
        url: &Url,
        limit: usize,
        observer: Observer<'_>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        retrying(&self.options, name, observer, || {
            let response = match self.get(url, None, true) {
                Err(failure) if failure.absent => return Ok(None),
                response => response?,
            };
            // A part of a file that was asked for whole, or none.
            if response.status() != StatusCode::OK {
                return Err(Failure::of_status(url, &response));
            }
            let too_large = || {
                let what = format!("{url} has more than the {limit} bytes that it may have");
                Failure::lasting(Error::verification(what))
            };
            if response.content_length().is_some_and(|length| length > limit as u64) {
                return Err(too_large());
            }
            let mut bytes = Vec::new();
            self.body(url, response, |piece| {
                bytes.extend_from_slice(piece);
                if bytes.len() > limit { Err(too_large()) } else { Ok(()) }
            })?;
            Ok(Some(bytes))
        })
    }

    /// Gives the pieces of a body to `take`, as they come. One that is too slow is broken off.
    pub(crate) fn body(
        &self,
        url: &Url,
        mut response: Response,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let least = self.options.least_speed;
        let mut pace = Pace::new(self.options.stall, least);
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = match response.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::broken(url, &error)),
            };
            take(&buffer[..count])?;
            if pace.is_too_slow(count) {
                let what = format!("{url} sends less than {least} bytes a second");
                return Err(Failure::transient(Error::network(what)));
            }
        }
    }

    /// Asks for `url`, or its rest, and follows redirects. The answer is 200, 206 or 416. `fresh`: no cache on the
    /// way answers without asking whether it has the file of before.
    pub(crate) fn get(
        &self,
        url: &Url,
        rest: Option<Rest<'_>>,
        fresh: bool,
    ) -> Result<Response, Failure> {
        let mut target = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self
                .client(&target)?
                .get(target.clone())
                .header(header::ACCEPT_ENCODING, "identity");
            if fresh {
                request = request.header(header::CACHE_CONTROL, "no-cache");
            }
            if let Some(token) = self
                .options
                .token
                .as_ref()
                .filter(|token| token.registry.origin() == target.origin())
            {
                request = request.bearer_auth(&token.secret);
            }
            if let Some(rest) = &rest {
                request = request.header(header::RANGE, format!("bytes={}-", rest.from));
                if let Some(tag) = rest.tag {
                    request = request.header(header::IF_RANGE, tag);
                }
            }
            let response = request.send().map_err(|error| Failure::of_request(&target, &error))?;
            let status = response.status();
            if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                target = redirect(&target, &response)?;
                continue;
            }
            if !matches!(status.as_u16(), 200 | 206 | 416) {
                return Err(Failure::of_status(&target, &response));
            }
            let encoding = response.headers().get(header::CONTENT_ENCODING);
            if encoding
                .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
            {
                let what =
                    format!("{target} was sent compressed, although the plain file was asked for");
                return Err(Failure::lasting(Error::network(what)));
            }
            return Ok(response);
        }
        Err(Failure::lasting(Error::network(format!(
            "{url} is redirected more than {MAX_REDIRECTS} times"
        ))))
    }

    /// The client for `url`. Where this machine itself is asked there is no proxy, which would be
    /// another machine's, and read a token.
    fn client(&self, url: &Url) -> Result<&Client, Failure> {
        if self.offline {
            let error = Error::new(ErrorKind::Network, "the network is not to be used (--offline)");
            return Err(Failure::lasting(error));
        }
        let direct = is_loopback(url);
        let client = &self.clients[usize::from(direct)];
        if client.get().is_none() {
            let proxy = if direct { &Proxy::None } else { &self.options.proxy };
            let built = build(&self.options, proxy).map_err(Failure::lasting)?;
            // Another thread may have been first; its client is as good.
            let _ = client.set(built);
        }
        client.get().ok_or_else(|| Failure::lasting(Error::network("there is no HTTP client")))
    }
}

fn build(options: &HttpOptions, proxy: &Proxy) -> Result<Client, Error> {
    // A program that embeds this crate may have installed a provider of its own; that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut authorities = Vec::new();
    for pem in &options.authorities {
        let parsed = reqwest::Certificate::from_pem_bundle(pem);
        let certificates = parsed
            .map_err(|error| Error::input(format!("not a PEM file of certificates: {error}")))?;
        if certificates.is_empty() {
            return Err(Error::input("the file of certificates has no certificate"));
        }
        authorities.extend(certificates);
    }
    let base = || -> Result<ClientBuilder, Error> {
        let builder = ClientBuilder::new()
            .user_agent(concat!("rddm-zoo/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(options.connect)
            // For the blocking client this bounds each operation: the wait for the headers, and
            // each read of the body.
            .timeout(options.stall);
        Ok(match proxy {
            Proxy::None => builder.no_proxy(),
            Proxy::System => builder,
            Proxy::Url(url) => {
                let proxy = reqwest::Proxy::all(url)
                    .map_err(|error| Error::usage(format!("`{url}` cannot be a proxy: {error}")))?;
                builder.no_proxy().proxy(proxy)
            }
        })
    };
    match base()?.tls_certs_merge(authorities.clone()).build() {
        Ok(client) => Ok(client),
        // A system without any certificates can still use http, and https with authorities of its own.
        Err(_) => base()?.tls_certs_only(authorities).build().map_err(|error| {
            Error::network(format!("cannot set up HTTP: {}", failure::reason(&error)))
        }),
    }
}

fn redirect(from: &Url, response: &Response) -> Result<Url, Failure> {
    let refused =
        |why: &str| Failure::lasting(Error::network(format!("{from} is redirected {why}")));
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| refused("to nowhere"))?;
    let target = from.join(location).map_err(|_| refused("to something that is not a URL"))?;
    match (from.scheme(), target.scheme()) {
        ("http", "http" | "https") | ("https", "https") => {}
        (_, scheme) => {
            return Err(refused(&format!(
                "to a place of the scheme {scheme}, which is not followed"
            )));
        }
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(refused("to a URL with a user or password, which is not followed"));
    }
    Ok(target)
}
