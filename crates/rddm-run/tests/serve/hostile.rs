//! Those who mean harm, or are only slow.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::http::{self, connect};
use crate::server::{Server, png};
use crate::support::until;

const RESTORE: &str = "POST /api/restore?model=tiny HTTP/1.1";

#[test]
fn other_names_of_the_loopback_are_refused() {
    let server = Server::new("");
    let port = server.address.port();
    let status = |hosts: &[&str]| {
        http::send(server.address, &[&["GET / HTTP/1.1"], hosts].concat(), b"").unwrap().status
    };
    assert_eq!(status(&[&format!("Host: 127.0.0.1:{port}")]), 200);
    assert_eq!(status(&[&format!("host: LOCALHOST:{port}")]), 200);
    for wrong in [
        format!("Host: evil.example:{port}"),
        format!("Host: 127.0.0.1.evil.example:{port}"),
        format!("Host: localhost.:{port}"),
        format!("Host: [::1]:{port}"),
        "Host: 127.0.0.1".to_owned(),
        "Host: 127.0.0.1:1".to_owned(),
        "Host: ".to_owned(),
        "X: no host at all".to_owned(),
    ] {
        assert_eq!(status(&[&wrong]), 421, "{wrong}");
    }
    let good = format!("Host: 127.0.0.1:{port}");
    assert_eq!(status(&[&good, "Host: evil.example"]), 421);
    let absolute = "GET http://evil.example/ HTTP/1.1";
    assert_eq!(http::send(server.address, &[absolute, &good], b"").unwrap().status, 421);
}

#[test]
fn pages_of_other_sites_are_refused() {
    let server = Server::new("");
    let picture = png(8, 8);
    let status = |method: &str, path: &str, headers: &[&str]| {
        let body: &[u8] = if method == "POST" { &picture } else { b"" };
        server.request(method, path, headers, body).status
    };
    let own = format!("Origin: http://{}", server.address);
    let post = |headers: &[&str]| status("POST", "/api/restore?model=tiny", headers);
    assert_eq!(post(&[&own, "Sec-Fetch-Site: same-origin"]), 200);
    for wrong in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: https://127.0.0.1",
        "Origin: http://localhost:1",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        assert_eq!(post(&[wrong]), 403, "{wrong}");
    }
    assert_eq!(post(&["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]), 403);
    // A link to the page may be followed from anywhere; what the page loads comes from itself.
    assert_eq!(
        status("GET", "/", &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]),
        200
    );
    let read =
        status("GET", "/api/models", &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"]);
    assert_eq!(read, 403);

    let page = server.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    for name in ["access-control-allow-origin", "server"] {
        assert_eq!(page.header(name), None);
    }
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cross-origin-resource-policy"), Some("same-origin"));
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let server = Server::new("--max-body 20kB");
    let host = format!("Host: {}", server.address);
    let answer = server.post("/api/restore?model=tiny", &vec![0; 20_001]);
    assert_eq!(answer.status, 413);
    assert!(answer.json()["error"]["next"].as_str().unwrap().contains("--max-body"));
    assert_eq!(server.post("/api/restore?model=tiny", &vec![0; 20_000]).status, 422);

    // One whose length is not said beforehand, and one that waits for a word before it sends.
    let mut chunked = connect(server.address);
    write!(chunked, "{RESTORE}\r\n{host}\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..30 {
        chunked.write_all(b"400\r\n").unwrap();
        chunked.write_all(&[0; 0x400]).unwrap();
        chunked.write_all(b"\r\n").unwrap();
    }
    chunked.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(http::answer(&chunked, false).unwrap().status, 413);
    let polite = server.ask_politely("model=tiny", 99_999_999);
    assert_eq!(http::answer(&polite, false).unwrap().status, 413);
}

/// A client that sends all of its body before it reads hears why it was refused.
#[test]
fn a_refusal_arrives_after_a_large_body() {
    let server = Server::new("--max-body 8MB");
    let body = vec![0; 30_000_000];
    for (path, status) in [("/api/restore?model=tiny", 413), ("/api/restore?model=other", 404)] {
        assert_eq!(server.post(path, &body).status, status);
    }
}

#[test]
fn a_picture_that_would_fill_the_memory_is_refused() {
    let server = Server::new("--max-memory 12MB");
    let mut file = png(1, 1);
    file[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    file[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    // The header's checksum.
    let sum = crc32fast::hash(&file[12..29]).to_be_bytes();
    file[29..33].copy_from_slice(&sum);
    let answer = server.post("/api/restore?model=tiny", &file);
    assert_eq!(answer.status, 422);
    assert!(answer.json()["error"]["what"].as_str().unwrap().contains("60000×60000"));
}

#[test]
fn more_pictures_than_places_are_told_to_come_back() {
    let server = Server::new("--max-pictures 1");
    let picture = png(16, 16);
    let mut first = server.begin("model=tiny", picture.len());
    let second = server.post("/api/restore?model=tiny", &picture);
    assert_eq!((second.status, second.header("retry-after")), (503, Some("2")));
    assert_eq!(server.get("/api/models").status, 200);
    first.write_all(&picture).unwrap();
    assert_eq!(http::answer(&first, false).unwrap().status, 200);
    assert_eq!(server.post("/api/restore?model=tiny", &picture).status, 200);
}

#[test]
fn a_client_that_goes_away_gives_its_place_back() {
    let server = Server::new("--max-pictures 1 --max-steps 1000 --threads 1");
    // Hours of work.
    let picture = png(1200, 900);
    let mut client = server.begin("model=tiny&steps=1000", picture.len());
    client.write_all(&picture).unwrap();
    let small = png(8, 8);
    let ask = || server.post("/api/restore?model=tiny", &small).status;
    assert_eq!(ask(), 503);
    drop(client);
    until(|| ask() == 200);
}

#[test]
fn slow_clients_are_cut_off() {
    let server = Server::new("--timeout 1");
    let host = format!("Host: {}", server.address);
    let ended = |mut stream: std::net::TcpStream| {
        // A reset is an end, too.
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        said
    };
    let begun = Instant::now();
    let silent = connect(server.address);
    let mut slow_head = connect(server.address);
    slow_head.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    let mut slow_body = connect(server.address);
    write!(slow_body, "{RESTORE}\r\n{host}\r\nContent-Length: 1000\r\n\r\nslow").unwrap();
    let mut idle = connect(server.address);
    write!(idle, "GET /api/models HTTP/1.1\r\n{host}\r\n\r\n").unwrap();
    assert_eq!(http::answer(&idle, false).unwrap().status, 200);
    ended(silent);
    ended(slow_head);
    assert!(ended(slow_body).starts_with(b"HTTP/1.1 408"));
    ended(idle);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_client_that_takes_no_answers_is_cut_off() {
    let server = Server::new("--timeout 1");
    let mut greedy = connect(server.address);
    greedy.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    // More answers than the system's buffers hold; the server reads no further when they are full.
    let request = format!("GET /api/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let begun = Instant::now();
    let cut_off = (0..1_000_000).any(|_| greedy.write_all(request.as_bytes()).is_err());
    assert!(cut_off && begun.elapsed() < Duration::from_secs(19), "{:?}", begun.elapsed());
    assert_eq!(server.get("/api/models").status, 200);
}

#[test]
fn connections_beyond_the_most_wait_their_turn() {
    let server = Server::new("--timeout 100");
    let mut idle: Vec<_> = (0..64).map(|_| connect(server.address)).collect();
    let mut further = connect(server.address);
    write!(further, "GET /api/models HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).unwrap();
    further.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let kind = further.peek(&mut [0]).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kind}");
    idle.pop();
    further.set_read_timeout(Some(http::PATIENCE)).unwrap();
    assert_eq!(http::answer(&further, false).unwrap().status, 200);
}

#[test]
fn a_head_that_is_no_head_ends_the_connection() {
    let server = Server::new("");
    for (head, statuses) in [
        (b"\x16\x03\x01\x02\0\x01".to_vec(), &["400"][..]),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n".to_vec(), &["400"]),
        ([b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 70_000]].concat(), &["431", "400"]),
    ] {
        let mut stream = connect(server.address);
        // It may be refused before all of it is sent.
        let _ = stream.write_all(&head);
        let _ = stream.write_all(b"\r\n\r\n");
        match http::answer(&stream, false) {
            Ok(answer) => assert!(statuses.contains(&answer.status.to_string().as_str())),
            Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    assert_eq!(server.get("/api/models").status, 200);
}
