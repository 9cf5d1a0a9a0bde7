//! How far a restoration is, and its end before it is done.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::http::{self, Response};
use crate::server::{OPENAPI, Server, png};
use crate::support::until;

/// What is told of a restoration, if it is under way.
fn progress(server: &Server, id: &str) -> Option<Value> {
    let answer = server.get(&format!("/api/restore/{id}"));
    if answer.status == 204 {
        assert_eq!(answer.body.len(), 0);
        return None;
    }
    let report = answer.json();
    let schema = &OPENAPI["components"]["schemas"]["Report"];
    for field in schema["required"].as_array().unwrap() {
        assert!(!report[field.as_str().unwrap()].is_null(), "{field} is missing: {report}");
    }
    for field in report.as_object().unwrap().keys() {
        assert!(!schema["properties"][field].is_null(), "{field} is not documented");
    }
    let states = schema["properties"]["state"]["enum"].as_array().unwrap();
    assert!(states.contains(&report["state"]), "{report}");
    Some(report)
}

fn cancel(server: &Server, id: &str) -> Response {
    server.request("DELETE", &format!("/api/restore/{id}"), &[], b"")
}

#[test]
fn progress_is_told_until_the_work_has_ended() {
    let server = Server::new("--threads 1");
    let picture = png(1200, 900);
    assert_eq!(progress(&server, "a-1"), None);
    let mut client = server.begin("model=tiny&id=a-1&steps=6", picture.len());
    let first = progress(&server, "a-1").unwrap();
    assert_eq!((&first["state"], first["fraction"].as_f64()), (&"receiving".into(), Some(0.0)));
    client.write_all(&picture).unwrap();
    let mut seen: Vec<Value> = Vec::new();
    while let Some(report) = progress(&server, "a-1") {
        seen.push(report);
        std::thread::sleep(Duration::from_millis(10));
    }
    let answer = http::answer(&client, false).unwrap();
    assert_eq!(answer.status, 200);
    let plain = server.post("/api/restore?model=tiny&steps=6", &picture);
    assert!(answer.body == plain.body);

    let fractions: Vec<f64> = seen.iter().map(|seen| seen["fraction"].as_f64().unwrap()).collect();
    assert!(fractions.is_sorted(), "{fractions:?}");
    let inner = fractions.iter().filter(|fraction| (0.01..0.99).contains(*fraction));
    assert!(inner.count() > 3, "{fractions:?}");
    let told = seen.iter().filter(|seen| seen["state"] == "restoring" && seen["fraction"] != 0.0);
    for seen in told {
        assert!(seen["seconds"].as_f64().unwrap() > 0.0, "{seen}");
        assert!(seen["seconds_left"].as_f64().unwrap() >= 0.0, "{seen}");
    }
}

#[test]
fn a_restoration_that_is_cancelled_ends_and_no_other() {
    let server = Server::new("--max-pictures 2 --max-steps 1000 --threads 1");
    let picture = png(1200, 900);
    let begin = |id: &str| {
        let mut client = server.begin(&format!("model=tiny&id={id}&steps=1000"), picture.len());
        client.write_all(&picture).unwrap();
        until(|| progress(&server, id).unwrap()["state"] == "restoring");
        client
    };
    let (one, other) = (begin("one"), begin("other"));
    let small = png(8, 8);
    assert_eq!(server.post("/api/restore?model=tiny", &small).status, 503);
    let answer = cancel(&server, "one");
    assert_eq!((answer.status, answer.json()["state"].as_str()), (202, Some("ending")));
    let answer = http::answer(&one, false).unwrap();
    assert_eq!(answer.status, 410);
    assert!(answer.json()["error"]["what"].as_str().unwrap().contains("cancelled"));
    assert_eq!(cancel(&server, "one").status, 204);
    assert_eq!(progress(&server, "one"), None);
    // Its place is free, and its id as good as new.
    assert_eq!(server.post("/api/restore?model=tiny&id=one", &small).status, 200);
    assert_eq!(progress(&server, "other").unwrap()["state"], "restoring");

    // Who goes away is as good as cancelled.
    drop(other);
    until(|| progress(&server, "other").is_none());
}

#[test]
fn a_body_that_is_still_coming_is_cancelled_too() {
    let server = Server::new("--max-pictures 1");
    let mut client = server.begin("model=tiny&id=a", 100_000);
    client.write_all(&[0; 1000]).unwrap();
    assert_eq!(cancel(&server, "a").status, 202);
    assert_eq!(http::answer(&client, false).unwrap().status, 410);
    assert_eq!(server.post("/api/restore?model=tiny", &png(8, 8)).status, 200);
}

#[test]
fn an_id_is_one_restorations_own() {
    let server = Server::new("");
    let picture = png(8, 8);
    let mut client = server.begin("model=tiny&id=a", picture.len());
    let twice = server.post("/api/restore?model=tiny&id=a", &picture);
    assert_eq!(twice.status, 409, "{}", twice.json());
    assert_eq!(server.post("/api/restore?model=tiny&id=b", &picture).status, 200);
    client.write_all(&picture).unwrap();
    assert_eq!(http::answer(&client, false).unwrap().status, 200);
    assert_eq!(server.post("/api/restore?model=tiny&id=a", &picture).status, 200);

    let long = "x".repeat(65);
    for bad in ["a%2Fb", "a/b", "%00", &long] {
        assert_eq!(server.get(&format!("/api/restore/{bad}")).status, 400, "{bad}");
        assert_eq!(cancel(&server, bad).status, 400, "{bad}");
        let path = format!("/api/restore?model=tiny&id={bad}");
        assert_eq!(server.post(&path, &picture).status, 400, "{bad}");
    }
    let answer = server.post("/api/restore/a", b"");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, DELETE")));
    assert_eq!(server.get("/api/restore/").status, 404);
}

/// Another site's page can neither watch nor cancel.
#[test]
fn only_this_machine_watches_and_cancels() {
    let server = Server::new("");
    let mut client = server.begin("model=tiny&id=a", 100);
    for method in ["GET", "DELETE"] {
        for header in ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"] {
            let answer = server.request(method, "/api/restore/a", &[header], b"");
            assert_eq!(answer.status, 403, "{method} {header}");
        }
    }
    client.write_all(&[0; 100]).unwrap();
    assert_eq!(http::answer(&client, false).unwrap().status, 422);
}
