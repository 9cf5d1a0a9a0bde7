//! A server that does what a test wants, wrong things above all.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use crate::zoo::Zoo;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// How many requests of this path came before.
    pub(crate) before: usize,
}

impl Request {
    /// The first byte that is asked for, if a range is.
    pub(crate) fn from(&self) -> Option<usize> {
        self.headers.get("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

type Handler = dyn Fn(&Request, &mut TcpStream) -> bool + Send + Sync;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

/// The path of the one network.
pub(crate) const NETWORK: &str = "/zoo/derain/derain.onnx";

impl Server {
    /// Serves the folder of `zoo`; `fault` answers first, and says whether it did.
    pub(crate) fn start(
        zoo: &Zoo,
        fault: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::of(zoo.root.path(), Arc::new(fault))
    }

    /// Serves a folder as it is.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        Self::of(folder, Arc::new(|_, _| false))
    }

    fn of(root: &Path, fault: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let root = root.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (fault, log, root) = (Arc::clone(&fault), Arc::clone(&log), root.clone());
                thread::spawn(move || answer(stream, &*fault, &log, root));
            }
        });
        Self { address, requests }
    }

    /// A fault in the network's file alone.
    pub(crate) fn of_network(
        zoo: &Zoo,
        fault: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::start(zoo, move |request, stream| request.path == NETWORK && fault(request, stream))
    }

    /// No fault at all.
    pub(crate) fn good(zoo: &Zoo) -> Self {
        Self::start(zoo, |_, _| false)
    }

    pub(crate) fn registry(&self) -> String {
        format!("http://{}/manifests", self.address)
    }

    pub(crate) fn network(&self) -> String {
        format!("http://{}{NETWORK}", self.address)
    }

    pub(crate) fn of_path(&self, path: &str) -> Vec<Request> {
        self.requests
            .lock()
            .unwrap()
            .iter()
            .filter(|request| request.path == path)
            .cloned()
            .collect()
    }
}

fn answer(mut stream: TcpStream, fault: &Handler, log: &Mutex<Vec<Request>>, root: PathBuf) {
    let Some(mut request) = read(&stream) else { return };
    {
        let mut log = log.lock().unwrap();
        request.before = log.iter().filter(|other| other.path == request.path).count();
        log.push(request.clone());
    }
    if fault(&request, &mut stream) {
        return;
    }
    match fs::read(root.join(request.path.trim_start_matches('/'))) {
        Ok(bytes) => serve(&mut stream, &request, &bytes),
        Err(_) => respond(&mut stream, "404 Not Found", &[], b""),
    }
}

/// Answers a question for a range as it should be.
pub(crate) fn serve(stream: &mut TcpStream, request: &Request, bytes: &[u8]) {
    match request.from() {
        Some(from) if from < bytes.len() => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            respond(stream, "206 Partial Content", &[("Content-Range", &range)], &bytes[from..]);
        }
        Some(_) => respond(stream, "416 Range Not Satisfiable", &[], b""),
        None => respond(stream, "200 OK", &[], bytes),
    }
}

pub(crate) fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    Some(Request { path, headers, before: 0 })
}

/// A whole answer with its right length. The client may have gone.
pub(crate) fn respond(
    stream: &mut impl Write,
    status: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) {
    head(stream, status, headers, Some(body.len()));
    let _ = stream.write_all(body);
    let _ = stream.flush();
}

pub(crate) fn head(
    stream: &mut impl Write,
    status: &str,
    headers: &[(&str, &str)],
    length: Option<usize>,
) {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = length {
        text += &format!("Content-Length: {length}\r\n");
    }
    let _ = stream.write_all((text + "\r\n").as_bytes());
}

/// A body in chunks, ended properly if `end`.
pub(crate) fn chunked(stream: &mut TcpStream, body: &[u8], end: bool) {
    head(stream, "200 OK", &[("Transfer-Encoding", "chunked")], None);
    for piece in body.chunks(10_000) {
        let _ = write!(stream, "{:x}\r\n", piece.len());
        let _ = stream.write_all(piece);
        let _ = stream.write_all(b"\r\n");
    }
    if end {
        let _ = stream.write_all(b"0\r\n\r\n");
    }
}
