//! What a server can do wrong with a file.

use std::{
    fs,
    io::Write,
    thread,
    time::{Duration, Instant},
};

use crate::{
    server::{NETWORK, Server, chunked, head, respond, serve},
    zoo::{Numbers, SIZE, Zoo, noise, pull},
};

const HALF: usize = SIZE / 2;

#[test]
fn a_model_is_pulled_and_the_second_pull_transfers_nothing() {
    let (zoo, home) = scene();
    let server = Server::good(&zoo);
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(0);
    assert!(outcome.out.contains("Run it: rddm-run --model derain"), "{}", outcome.out);
    home.assert_whole(&zoo.network());
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(0);
    assert!(outcome.out.contains("up to date"), "{}", outcome.out);
    assert_eq!(server.of_path(NETWORK).len(), 1);
    assert_eq!(server.of_path(NETWORK)[0].headers["accept-encoding"], "identity");
    // What stays at its path when it changes is not to come out of a cache.
    for path in ["/manifests/index.toml", "/manifests/index.toml.minisig", "/manifests/derain.toml"]
    {
        assert_eq!(server.of_path(path)[0].headers["cache-control"], "no-cache", "{path}");
    }
}

#[test]
fn a_part_is_gone_on_with() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let server = Server::good(&zoo);
    home.leave_part(&network, &network[..HALF], Some(("\"tag\"", &server.network())));
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
    let request = &server.of_path(NETWORK)[0];
    assert_eq!(request.from(), Some(HALF));
    assert_eq!(request.headers["if-range"], "\"tag\"");
}

#[test]
fn range_ignored_begins_again() {
    let (zoo, home) = scene();
    let network = zoo.network();
    home.leave_part(&network, &network[..HALF], None);
    let body = network.clone();
    let server = Server::of_network(&zoo, move |_, stream| {
        respond(stream, "200 OK", &[], &body);
        true
    });
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(0);
    assert!(outcome.err.contains("begins again"), "{}", outcome.err);
    home.assert_whole(&network);
    assert_eq!(server.of_path(NETWORK).len(), 1);
}

#[test]
fn content_range_wrong_begins_again() {
    for range in [
        "bytes 0-299999/300000",
        "bytes 150001-299999/300000",
        "bytes 150000-299998/300000",
        "bytes 150000-299999/300001",
        "bytes 299999-150000/300000",
        "items 150000-299999/300000",
        "150000-299999",
        "",
    ] {
        part_is_refused(Some(range));
    }
}

#[test]
fn content_range_missing_begins_again() {
    part_is_refused(None);
}

/// A 206 whose range does not fit is not used; everything is asked for instead.
fn part_is_refused(range: Option<&'static str>) {
    let (zoo, home) = scene();
    let network = zoo.network();
    home.leave_part(&network, &network[..HALF], None);
    let body = network.clone();
    let server = Server::of_network(&zoo, move |request, stream| {
        let Some(from) = request.from() else { return false };
        let headers: Vec<(&str, &str)> =
            range.iter().map(|range| ("Content-Range", *range)).collect();
        respond(stream, "206 Partial Content", &headers, &body[from..]);
        true
    });
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
    let froms: Vec<_> = server.of_path(NETWORK).iter().map(|request| request.from()).collect();
    assert_eq!(froms, [Some(HALF), None], "{range:?}");
}

#[test]
fn a_part_that_nobody_asked_for_is_refused() {
    let (zoo, home) = scene();
    let body = zoo.network();
    let server = Server::of_network(&zoo, move |_, stream| {
        respond(
            stream,
            "206 Partial Content",
            &[("Content-Range", "bytes 0-299999/300000")],
            &body,
        );
        true
    });
    pull(&zoo, &server.registry(), &home, &[]).expect(6);
    home.assert_nothing();
}

#[test]
fn a_complete_bad_part_is_deleted_without_asking_for_a_rest() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let server = Server::good(&zoo);
    home.leave_part(&network, &noise(SIZE, 99), Some(("\"tag\"", &server.network())));
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
    assert_eq!(server.of_path(NETWORK)[0].from(), None);
}

#[test]
fn a_part_that_is_too_long_is_deleted() {
    let (zoo, home) = scene();
    let network = zoo.network();
    home.leave_part(&network, &noise(SIZE + 1, 99), None);
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
}

#[test]
fn a_416_deletes_the_part_and_begins_again() {
    let (zoo, home) = scene();
    let network = zoo.network();
    home.leave_part(&network, &network[..HALF], None);
    let server = Server::of_network(&zoo, |request, stream| {
        if request.from().is_none() {
            return false;
        }
        respond(stream, "416 Range Not Satisfiable", &[("Content-Range", "bytes */300000")], b"");
        true
    });
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
}

#[test]
fn a_part_of_other_bytes_is_found_out_and_begins_again() {
    let (zoo, home) = scene();
    let network = zoo.network();
    home.leave_part(&network, &noise(HALF, 99), None);
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
    let froms: Vec<_> = server.of_path(NETWORK).iter().map(|request| request.from()).collect();
    assert_eq!(froms, [Some(HALF), None]);
}

#[test]
fn etag_changed_between_parts_begins_again() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let body = network.clone();
    // A server that does not look at If-Range and has another file by now.
    let server = Server::of_network(&zoo, move |request, stream| {
        let Some(from) = request.from() else { return false };
        let range = format!("bytes {from}-{}/{}", SIZE - 1, SIZE);
        respond(
            stream,
            "206 Partial Content",
            &[("Content-Range", &range), ("ETag", "\"new\"")],
            &body[from..],
        );
        true
    });
    home.leave_part(&network, &network[..HALF], Some(("\"old\"", &server.network())));
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(0);
    assert!(outcome.err.contains("was changed on the server"), "{}", outcome.err);
    home.assert_whole(&network);
}

#[test]
fn a_weak_etag_is_not_trusted_with_a_rest() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let body = network.clone();
    let server = Server::of_network(&zoo, move |request, stream| {
        if request.before > 0 {
            return false;
        }
        head(stream, "200 OK", &[("ETag", "W/\"weak\"")], Some(SIZE));
        let _ = stream.write_all(&body[..HALF]);
        true
    });
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
    assert!(!server.of_path(NETWORK)[1].headers.contains_key("if-range"));
}

#[test]
fn longer_is_refused() {
    refused(5, |network, stream| respond(stream, "200 OK", &[], &[network, b"more"].concat()));
}

#[test]
fn longer_without_a_length_is_refused() {
    refused(5, |network, stream| chunked(stream, &[network, b"more"].concat(), true));
}

#[test]
fn shorter_is_refused() {
    refused(5, |network, stream| respond(stream, "200 OK", &[], &network[..SIZE - 1]));
}

#[test]
fn shorter_without_a_length_is_refused() {
    refused(5, |network, stream| chunked(stream, &network[..SIZE - 1], true));
}

#[test]
fn right_size_and_wrong_bytes_is_refused() {
    refused(5, |network, stream| {
        let mut wrong = network.to_vec();
        wrong[HALF] ^= 1;
        respond(stream, "200 OK", &[], &wrong);
    });
}

#[test]
fn empty_is_refused() {
    refused(5, |_, stream| respond(stream, "200 OK", &[], b""));
}

#[test]
fn html_with_200_is_refused_and_named() {
    let error = refused(5, |_, stream| {
        respond(stream, "200 OK", &[("Content-Type", "text/html")], b"<html>Please log in</html>")
    });
    assert!(error.contains("web page"), "{error}");
}

#[test]
fn gzip_is_refused() {
    let error = refused(6, |network, stream| {
        respond(stream, "200 OK", &[("Content-Encoding", "gzip")], network)
    });
    assert!(error.contains("compressed"), "{error}");
}

#[test]
fn an_endless_body_ends_at_the_declared_size() {
    refused(5, |_, stream| {
        head(stream, "200 OK", &[("Transfer-Encoding", "chunked")], None);
        let piece = [b'x'; 4096];
        // Ends when the client hangs up, which it does soon.
        let mut sent = 0_usize;
        while write!(stream, "1000\r\n")
            .and_then(|()| stream.write_all(&piece))
            .and_then(|()| stream.write_all(b"\r\n"))
            .is_ok()
        {
            sent += piece.len();
            assert!(sent < 100 << 20, "the client took 100 MiB for a file of {SIZE} bytes");
        }
    });
}

/// The answer is always the same; the pull ends with `code` and leaves nothing.
fn refused(
    code: i32,
    answer: impl Fn(&[u8], &mut std::net::TcpStream) + Send + Sync + 'static,
) -> String {
    let (zoo, home) = scene();
    let network = zoo.network();
    let server = Server::of_network(&zoo, move |_, stream| {
        answer(&network, stream);
        true
    });
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(code);
    home.assert_nothing();
    outcome.err
}

#[test]
fn cut_at_100_random_points_keeps_the_part_and_goes_on() {
    let zoo = Zoo::new();
    let network = zoo.network();
    let mut numbers = Numbers(7);
    for round in 0..100 {
        let home = crate::zoo::Home(zoo.path(&format!("home-{round}")));
        let cut = numbers.below(SIZE);
        let body = network.clone();
        let server = Server::of_network(&zoo, move |request, stream| {
            if request.before > 0 {
                return false;
            }
            head(stream, "200 OK", &[("ETag", "\"one\"")], Some(SIZE));
            let _ = stream.write_all(&body[..cut]);
            true
        });
        pull(&zoo, &server.registry(), &home, &["--retries", "0"]).expect(6);
        let there = if cut == 0 { 0 } else { home.assert_part(&network) };
        assert!(there <= cut);
        pull(&zoo, &server.registry(), &home, &["--retries", "0"]).expect(0);
        home.assert_whole(&network);
        let request = &server.of_path(NETWORK)[1];
        assert_eq!(request.from().unwrap_or(0), there, "cut at {cut}");
        fs::remove_dir_all(&home.0).unwrap();
    }
}

#[test]
fn a_cut_transfer_is_gone_on_with_in_the_same_pull() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let body = network.clone();
    // Each answer brings a sixth: more cuts than retries, but each makes progress.
    let server = Server::of_network(&zoo, move |request, stream| {
        let from = request.from().unwrap_or(0);
        let range = format!("bytes {from}-{}/{SIZE}", SIZE - 1);
        let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
        head(stream, status, &[("Content-Range", &range)], Some(SIZE - from));
        let _ = stream.write_all(&body[from..(from + 70_000).min(SIZE)]);
        true
    });
    pull(&zoo, &server.registry(), &home, &["--retries", "1"]).expect(0);
    home.assert_whole(&network);
}

#[test]
fn what_is_lost_and_comes_once_more_is_no_progress() {
    let (zoo, home) = scene();
    let network = zoo.network();
    // Knows no ranges, and breaks off now late, now early.
    let server = Server::of_network(&zoo, move |request, stream| {
        if request.before > 20 {
            return false;
        }
        head(stream, "200 OK", &[], Some(SIZE));
        let _ = stream.write_all(&network[..if request.before % 2 == 0 { 200_000 } else { 10 }]);
        true
    });
    pull(&zoo, &server.registry(), &home, &["--retries", "2"]).expect(6);
    assert_eq!(server.of_path(NETWORK).len(), 3);
}

#[test]
fn an_index_that_drips_is_broken_off() {
    let (zoo, home) = scene();
    let index = fs::read(zoo.path("manifests/index.toml")).unwrap();
    let server = Server::start(&zoo, move |request, stream| {
        if request.path != "/manifests/index.toml" {
            return false;
        }
        head(stream, "200 OK", &[], Some(index.len()));
        drip(stream, &index);
        true
    });
    let begun = Instant::now();
    let outcome =
        pull(&zoo, &server.registry(), &home, &["--stall", "2", "--retries", "0"]).expect(6);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(outcome.err.contains("bytes a second"), "{}", outcome.err);
}

#[test]
fn a_stall_is_broken_off_and_the_part_kept() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let body = network.clone();
    let server = Server::of_network(&zoo, move |_, stream| {
        head(stream, "200 OK", &[], Some(SIZE));
        let _ = stream.write_all(&body[..HALF]);
        thread::sleep(Duration::from_secs(60));
        true
    });
    let begun = Instant::now();
    pull(&zoo, &server.registry(), &home, &["--stall", "2", "--retries", "0"]).expect(6);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(home.assert_part(&network), HALF);
}

#[test]
fn a_drip_is_broken_off_and_the_part_kept() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let body = network.clone();
    let server = Server::of_network(&zoo, move |_, stream| {
        head(stream, "200 OK", &[], Some(SIZE));
        drip(stream, &body);
        true
    });
    let begun = Instant::now();
    let outcome =
        pull(&zoo, &server.registry(), &home, &["--stall", "2", "--retries", "0"]).expect(6);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(outcome.err.contains("bytes a second"), "{}", outcome.err);
    assert!(home.assert_part(&network) > 0);
}

#[test]
fn headers_that_never_come_are_broken_off() {
    let (zoo, home) = scene();
    let server = Server::of_network(&zoo, |_, _| {
        thread::sleep(Duration::from_secs(60));
        true
    });
    pull(&zoo, &server.registry(), &home, &["--stall", "2", "--retries", "0"]).expect(6);
    home.assert_nothing();
}

#[test]
fn a_429_is_waited_for_as_long_as_it_says() {
    let (zoo, home) = scene();
    let server = Server::of_network(&zoo, |request, stream| {
        if request.before > 0 {
            return false;
        }
        respond(stream, "429 Too Many Requests", &[("Retry-After", "2")], b"slower");
        true
    });
    let begun = Instant::now();
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    home.assert_whole(&zoo.network());
}

#[test]
fn a_retry_after_of_hours_is_not_waited_for() {
    let (zoo, home) = scene();
    let server = Server::of_network(&zoo, |_, stream| {
        respond(stream, "503 Service Unavailable", &[("Retry-After", "9999")], b"");
        true
    });
    let outcome = pull(&zoo, &server.registry(), &home, &[]).expect(6);
    assert!(outcome.err.contains("9999 s"), "{}", outcome.err);
    home.assert_nothing();
}

#[test]
fn a_burst_of_5xx_is_survived_and_an_endless_one_is_not() {
    let (zoo, home) = scene();
    let server = Server::start(&zoo, |request, stream| {
        let status = ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"]
            .get(request.before);
        status.is_some_and(|status| {
            respond(stream, status, &[], b"oops");
            true
        })
    });
    pull(&zoo, &server.registry(), &home, &["--retries", "3"]).expect(0);
    home.assert_whole(&zoo.network());

    let home = crate::zoo::Home(zoo.path("other"));
    let server = Server::of_network(&zoo, |_, stream| {
        respond(stream, "503 Service Unavailable", &[], b"");
        true
    });
    pull(&zoo, &server.registry(), &home, &[]).expect(6);
    home.assert_nothing();
    assert_eq!(server.of_path(NETWORK).len(), 3);
}

#[test]
fn a_missing_file_is_not_asked_for_again() {
    let (zoo, home) = scene();
    let server = Server::of_network(&zoo, |_, stream| {
        respond(stream, "404 Not Found", &[], b"");
        true
    });
    pull(&zoo, &server.registry(), &home, &[]).expect(6);
    home.assert_nothing();
    assert_eq!(server.of_path(NETWORK).len(), 1);
}

#[test]
fn a_mirror_helps_when_the_registry_has_wrong_bytes() {
    let (zoo, home) = scene();
    let bad = Server::of_network(&zoo, |request, stream| {
        serve(stream, request, &noise(SIZE, 99));
        true
    });
    let good = Server::good(&zoo);
    pull(&zoo, &bad.registry(), &home, &["--mirror", &good.registry()]).expect(0);
    home.assert_whole(&zoo.network());
    assert_eq!(good.of_path(NETWORK).len(), 1);
    // The index comes from the registry alone: a mirror is asked for networks.
    assert!(good.of_path("/manifests/index.toml").is_empty());
}

#[test]
fn a_mirror_goes_on_where_the_registry_broke_off() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let body = network.clone();
    let broken = Server::of_network(&zoo, move |_, stream| {
        head(stream, "200 OK", &[("ETag", "\"theirs\"")], Some(SIZE));
        let _ = stream.write_all(&body[..HALF]);
        true
    });
    let good = Server::good(&zoo);
    let mirror = ["--mirror", &good.registry(), "--retries", "0"];
    pull(&zoo, &broken.registry(), &home, &mirror).expect(0);
    home.assert_whole(&network);
    let request = &good.of_path(NETWORK)[0];
    assert_eq!(request.from(), Some(HALF));
    // The registry's tag is none of the mirror's.
    assert!(!request.headers.contains_key("if-range"));
}

#[test]
fn a_mirror_that_the_manifest_names_helps_when_the_file_is_not_in_the_folder() {
    let (zoo, home) = scene();
    let network = zoo.network();
    let mirror = Server::good(&zoo);
    let path = zoo.path("zoo/derain/model.toml");
    let mirrors = format!("mirrors = [\"{}\"]\nopset", mirror.network());
    let draft = fs::read_to_string(&path).unwrap().replacen("opset", &mirrors, 1);
    fs::write(&path, draft).unwrap();
    zoo.publish(rddm_zoo::now().unix(), 365);
    fs::create_dir(zoo.path("elsewhere")).unwrap();
    fs::rename(zoo.path("manifests"), zoo.path("elsewhere/manifests")).unwrap();
    let registry = zoo.path("elsewhere/manifests");
    pull(&zoo, registry.to_str().unwrap(), &home, &["--offline"]).expect(6);
    home.assert_nothing();
    pull(&zoo, registry.to_str().unwrap(), &home, &[]).expect(0);
    home.assert_whole(&network);
}

#[test]
fn a_damaged_blob_in_the_store_is_replaced() {
    let (zoo, home) = scene();
    let server = Server::good(&zoo);
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    let network = zoo.network();
    let mut wrong = network.clone();
    wrong[0] ^= 1;
    fs::write(home.blob(&network), &wrong).unwrap();
    pull(&zoo, &server.registry(), &home, &[]).expect(0);
    home.assert_whole(&network);
}

/// Sends a byte each 0.1 s, as long as somebody listens.
fn drip(stream: &mut impl Write, bytes: &[u8]) {
    for byte in bytes.chunks(1) {
        if stream.write_all(byte).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn scene() -> (Zoo, crate::zoo::Home) {
    let zoo = Zoo::new();
    let home = zoo.home();
    (zoo, home)
}
