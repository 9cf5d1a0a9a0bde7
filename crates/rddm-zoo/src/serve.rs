//! A registry over HTTP: a small server of exactly the files that the index names.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rddm_manifest::printable;

use crate::{
    Error, ErrorKind, Http, Registry, Trust,
    http::pace::Pace,
    place::{INDEX, SIGNATURE, Source},
    resolve::locate_in_folder,
    store::{CHUNK, open_file},
};

/// A server of one registry. It is bound when it is made, and answers when it is run.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    site: Arc<Site>,
}

/// Is told each answer: method and path, status, and why the registry could not be read if it could not.
type Log = dyn Fn(&str, u16, Option<&Error>) + Send + Sync;

/// What the server has: paths of URLs, and the files behind them.
#[derive(Debug)]
struct Site {
    folder: PathBuf,
    /// The folder's name, as URLs have it; `None` if it is no text, and the registry is at the top alone.
    name: Option<String>,
    trust: Trust,
}

#[derive(Debug, Clone)]
struct Item {
    path: PathBuf,
    /// The digest, where the index or a manifest names it: the best entity tag there is.
    tag: Option<String>,
}

/// Connections at once; further ones are told to come back.
const MAX_CONNECTIONS: usize = 64;
/// The most bytes that the lines of a request may have.
const MAX_HEAD: u64 = 16 * 1024;
/// How long a whole head may take, and one write of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The least bytes a second that a client takes over that time.
const LEAST_SPEED: u64 = 512;

impl Server {
    /// Binds `address` for the registry in `folder`, whose index must be signed as `trust` says.
    ///
    /// # Errors
    /// As [`Registry::open`], or [`ErrorKind::Network`] if the address cannot be bound.
    pub fn bind(address: SocketAddr, folder: &Path, trust: Trust) -> Result<Self, Error> {
        let folder = folder.canonicalize().map_err(|error| Error::file("open", folder, &error))?;
        let name = folder.file_name().and_then(|name| name.to_str()).map(percent);
        let site = Site { folder, name, trust };
        site.items()?;
        let listener = TcpListener::bind(address).map_err(|error| {
            Error::new(ErrorKind::Network, format!("cannot listen on {address}: {error}"))
        })?;
        Ok(Self { listener, site: Arc::new(site) })
    }

    /// The registry's URL.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] if the system does not say where it listens.
    pub fn url(&self) -> Result<String, Error> {
        let address = self
            .listener
            .local_addr()
            .map_err(|error| Error::new(ErrorKind::Network, error.to_string()))?;
        let name = self.site.name.as_ref().map_or_else(String::new, |name| format!("{name}/"));
        Ok(format!("http://{address}/{name}"))
    }

    /// Answers until the process ends. `log` is told each answer: method and path, status, and why the registry
    /// could not be read if it could not.
    pub fn run(&self, log: impl Fn(&str, u16, Option<&Error>) + Send + Sync + 'static) {
        let log: Arc<Log> = Arc::new(log);
        let open = Arc::new(AtomicUsize::new(0));
        for stream in self.listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (site, log, open) = (Arc::clone(&self.site), Arc::clone(&log), Arc::clone(&open));
            if open.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
                open.fetch_sub(1, Ordering::Relaxed);
                // The client hears of it or is gone; either is fine.
                let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                continue;
            }
            let counted = Arc::clone(&open);
            let spawned = thread::Builder::new().spawn(move || {
                // A connection that breaks concerns its client alone.
                let _ = serve(stream, &site, &*log);
                counted.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_err() {
                open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Site {
    /// All paths, read from the index as it is now.
    fn items(&self) -> Result<HashMap<String, Item>, Error> {
        let registry = Registry::open_folder(&self.folder, &self.trust)?;
        let parent = self.folder.parent().unwrap_or(&self.folder).to_owned();
        let mut items = HashMap::new();
        // Each file has two paths, below the registry's own name and at the top, so that both
        // URLs are registries; a file beside the registry has the same path from both. Each path is
        // there as it is and as `url` writes it, so that the lookup decodes nothing.
        let mut add = |path: &Path, tag: Option<String>| {
            let item = Item { path: path.to_owned(), tag };
            for base in [&parent, &self.folder] {
                if let Some(path) = path.strip_prefix(base).ok().and_then(Path::to_str) {
                    let path = format!("/{}", path.replace('\\', "/"));
                    items.insert(percent_path(&path), item.clone());
                    items.insert(path, item.clone());
                }
            }
        };
        add(&self.folder.join(INDEX), None);
        add(&self.folder.join(SIGNATURE), None);
        for entry in &registry.index().models {
            let source = registry.manifest_source(entry)?;
            // A bundle lists models that it does not have.
            let Ok(manifest) = registry.manifest(entry, &Http::offline(), &|_| {}) else {
                continue;
            };
            if let Source::File(path) = &source {
                add(path, Some(entry.sha256.hex()));
            }
            for network in &manifest.networks {
                let hex = network.sha256.hex();
                if let Ok(path) = locate_in_folder(&entry.id, &source, &self.folder, network) {
                    add(&path, Some(hex.clone()));
                }
                let by_digest = self.folder.join("blobs").join("sha256").join(&hex[..2]).join(&hex);
                if by_digest.is_file() {
                    add(&by_digest, Some(hex));
                }
            }
        }
        Ok(items)
    }
}

struct Request {
    head: bool,
    path: String,
    range: Option<String>,
    if_range: Option<String>,
    if_none_match: Option<String>,
}

fn serve(stream: TcpStream, site: &Site, log: &Log) -> io::Result<()> {
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut output = stream.try_clone()?;
    let request = match read_request(Until { stream, end: Instant::now() + TIMEOUT })? {
        Ok(request) => request,
        Err(status) => {
            log("?", status, None);
            return refuse(&mut output, status);
        }
    };
    let method = if request.head { "HEAD" } else { "GET" };
    // Whoever can connect writes it, and a terminal may show it.
    let line = format!("{method} {}", printable(&request.path));
    let item = match site.items() {
        Ok(mut items) => items.remove(&request.path),
        Err(error) => {
            log(&line, 500, Some(&error));
            return refuse(&mut output, 500);
        }
    };
    let Some((item, (mut file, size))) =
        item.and_then(|item| open_file(&item.path).ok().map(|opened| (item, opened)))
    else {
        log(&line, 404, None);
        return refuse(&mut output, 404);
    };
    // What has its digest for a name stays what it is; all else may be another file after the next publication.
    let by_digest = item.tag.as_ref().is_some_and(|hex| item.path.ends_with(hex));
    let tag = item.tag.map(|hex| format!("\"{hex}\""));
    let kept = if by_digest { "public, max-age=31536000, immutable" } else { "no-cache" };
    let caching = match &tag {
        Some(tag) => format!("ETag: {tag}\r\nCache-Control: {kept}"),
        None => format!("Cache-Control: {kept}"),
    };
    let has = |known: &String| tag.as_ref().is_some_and(|tag| known.contains(tag.as_str()));
    if request.if_none_match.as_ref().is_some_and(has) {
        log(&line, 304, None);
        return write!(
            output,
            "HTTP/1.1 304 Not Modified\r\n{caching}\r\nConnection: close\r\n\r\n"
        );
    }
    // A tag or date that is not this file's means that the client wants the whole file.
    let range =
        request.range.as_deref().filter(|_| request.if_range.is_none() || request.if_range == tag);
    let (status, first, length) = match range.map(|range| parse_range(range, size)) {
        None | Some(Asked::Ignored) => (200, 0, size),
        Some(Asked::Part { first, length }) => (206, first, length),
        Some(Asked::Outside) => {
            write!(
                output,
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{size}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )?;
            log(&line, 416, None);
            return Ok(());
        }
    };
    let reason = if status == 206 { "Partial Content" } else { "OK" };
    let kind = if item.path.extension().is_some_and(|extension| extension == "toml") {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    };
    write!(
        output,
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nAccept-Ranges: bytes\r\n"
    )?;
    write!(output, "X-Content-Type-Options: nosniff\r\nConnection: close\r\n")?;
    if status == 206 {
        write!(output, "Content-Range: bytes {first}-{}/{size}\r\n", first + length - 1)?;
    }
    write!(output, "{caching}\r\n\r\n")?;
    log(&line, status, None);
    if !request.head {
        file.seek(SeekFrom::Start(first))?;
        send(file.take(length), &mut output)?;
    }
    output.flush()
}

/// Sends all of `file`. A client that takes less than [`LEAST_SPEED`] is left.
fn send(mut file: impl Read, output: &mut impl Write) -> io::Result<()> {
    let mut pace = Pace::new(TIMEOUT, LEAST_SPEED);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let sent = output.write(rest)?;
            if sent == 0 || pace.is_too_slow(sent) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            rest = &rest[sent..];
        }
    }
}

/// A stream that is read until a moment, however often a little comes.
struct Until {
    stream: TcpStream,
    end: Instant,
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

fn refuse(output: &mut TcpStream, status: u16) -> io::Result<()> {
    let reason = match status {
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Internal Server Error",
    };
    write!(output, "HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Reads the head of a request; the inner error is the status that it is answered with.
fn read_request(stream: impl Read) -> io::Result<Result<Request, u16>> {
    let mut reader = BufReader::new(stream.take(MAX_HEAD));
    let mut line = String::new();
    let mut next = |line: &mut String| -> io::Result<bool> {
        line.clear();
        let count = reader.read_line(line).or_else(|error| {
            if error.kind() == io::ErrorKind::InvalidData { Ok(0) } else { Err(error) }
        })?;
        let ended = line.ends_with('\n');
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(count > 0 && ended)
    };
    if !next(&mut line)? {
        return Ok(Err(400));
    }
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = words.as_slice() else { return Ok(Err(400)) };
    let head = match *method {
        "GET" => false,
        "HEAD" => true,
        _ => return Ok(Err(405)),
    };
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let mut request = Request { head, path, range: None, if_range: None, if_none_match: None };
    loop {
        if !next(&mut line)? {
            return Ok(Err(431));
        }
        if line.is_empty() {
            return Ok(Ok(request));
        }
        let Some((name, value)) = line.split_once(':') else { return Ok(Err(400)) };
        let value = Some(value.trim().to_owned());
        if name.eq_ignore_ascii_case("range") {
            request.range = value;
        } else if name.eq_ignore_ascii_case("if-range") {
            request.if_range = value;
        } else if name.eq_ignore_ascii_case("if-none-match") {
            request.if_none_match = value;
        }
    }
}

enum Asked {
    Part {
        first: u64,
        length: u64,
    },
    Outside,
    /// Not a range of bytes, or several: the whole file is a correct answer.
    Ignored,
}

fn parse_range(range: &str, size: u64) -> Asked {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Asked::Ignored;
    };
    let bounds = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, size.saturating_sub(1)),
        (Err(_), Ok(count)) if first.is_empty() && count > 0 => {
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        _ => return Asked::Ignored,
    };
    if bounds.0 >= size {
        return Asked::Outside;
    }
    Asked::Part { first: bounds.0, length: bounds.1 - bounds.0 + 1 }
}

/// The path of a URL, with each of its names encoded.
fn percent_path(path: &str) -> String {
    path.split('/').map(percent).collect::<Vec<_>>().join("/")
}

/// A folder's name as a part of a URL.
fn percent(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte))
            }
            // Writing to a String cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_drips_ends_at_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        thread::spawn(move || {
            while client.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let begun = Instant::now();
        let until = Until { stream, end: begun + Duration::from_millis(200) };
        assert!(read_request(until).is_err());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
