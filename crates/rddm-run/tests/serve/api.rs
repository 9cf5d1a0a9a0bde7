//! The API as its text describes it.

use ndarray::Array2;
use rddm_image::{EncodeOptions, Format, Limits, decode, encode};

use crate::server::{OPENAPI, Server, png};
use crate::support::colours;

#[test]
fn a_picture_comes_back_as_the_command_writes_it() {
    let server = Server::new("");
    let mut picture = colours(75, 52);
    picture.alpha = Some(Array2::from_elem((52, 75), 0.5));
    picture.metadata.add_properties("dc", "urn:dc", &[("creator", "somebody")]);
    server.bench.save("a.png", &picture);
    let file = std::fs::read(server.bench.path("a.png")).unwrap();
    let path = "/api/restore?model=tiny&steps=2&seed=5&strength=0.75&eta=0.5&mirror=true";
    let answer = server.post(path, &file);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let options = "--steps 2 --seed 5 --strength 0.75 --eta 0.5 --mirror on";
    server.bench.restore(&format!("a.png -o b.png {options}")).ends(0);
    assert!(answer.body == std::fs::read(server.bench.path("b.png")).unwrap());
    assert_eq!(answer.header("content-type"), Some("image/png"));
    assert_eq!(answer.header("rddm-model"), Some("tiny 0.1.0"));
    assert_eq!(answer.header("rddm-losses"), None);
    assert!(answer.header("server-timing").unwrap().contains("restore;dur="));

    // The same networks serve other options, and the next one who asks for the first.
    let other = server.post("/api/restore?model=tiny&seed=6", &file);
    assert!(other.body != answer.body);
    assert!(server.post(path, &file).body == answer.body);
}

#[test]
fn pictures_at_the_same_time_do_not_mix() {
    let server = Server::new("--max-pictures 8 --threads 2");
    let (small, large) = (png(90, 70), png(200, 150));
    let ask = |file: &[u8], seed: usize| {
        let path = format!("/api/restore?model=tiny&seed={seed}&steps={}", 1 + seed % 3);
        let answer = server.post(&path, file);
        assert_eq!(answer.status, 200);
        answer.body
    };
    let file = |seed: usize| if seed.is_multiple_of(2) { &small } else { &large };
    let alone: Vec<Vec<u8>> = (0..6).map(|seed| ask(file(seed), seed)).collect();
    let together: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..6)
            .map(|seed| {
                scope.spawn({
                    let (ask, file) = (&ask, &file);
                    move || ask(file(seed), seed)
                })
            })
            .collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(alone == together);
}

#[test]
fn format_and_quality_are_as_asked() {
    let server = Server::new("");
    let mut picture = colours(40, 30);
    picture.alpha = Some(Array2::from_elem((30, 40), 0.5));
    let tiff = encode(&picture, &EncodeOptions::default().with_format(Format::Tiff)).unwrap().bytes;
    let ask = |more: &str| server.post(&format!("/api/restore?model=tiny{more}"), &tiff);
    let format = |bytes: &[u8]| decode(bytes, &Limits::default()).unwrap().format.unwrap();
    assert_eq!(format(&ask("").body), Format::Tiff);
    let good = ask("&format=jpg&quality=95");
    assert_eq!(format(&good.body), Format::Jpeg);
    assert_eq!(good.header("content-type"), Some("image/jpeg"));
    assert_eq!(
        good.header("content-disposition"),
        Some("attachment; filename=\"picture.tiny.jpg\"")
    );
    assert!(good.header("rddm-losses").unwrap().contains("alpha"));
    assert!(ask("&format=jpg&quality=20").body.len() < good.body.len());
    let pages = include_bytes!("../../../rddm-image/tests/samples/pages.tif");
    let first = server.post("/api/restore?model=tiny", pages);
    assert_eq!(first.header("rddm-losses"), Some("the further pages"));
}

#[test]
fn what_there_is_can_be_read() {
    let server = Server::new("--model tiny --model tiny --max-steps 7 --max-body 3MB");
    assert_eq!(server.report["models"].as_array().unwrap().len(), 1);
    let offer = server.get("/api/models").json();
    assert_eq!(offer["models"][0]["id"], "tiny");
    assert_eq!(offer["models"][0]["steps"], 3);
    assert_eq!(
        offer["limits"],
        serde_json::json!({"body_bytes": 3_000_000, "steps": 7, "pictures": 2})
    );
    let schema = &OPENAPI["components"]["schemas"]["Offer"]["required"];
    for field in schema.as_array().unwrap() {
        assert!(!offer[field.as_str().unwrap()].is_null(), "{field} is missing");
    }
    assert_eq!(server.get("/api/openapi.json").json(), *OPENAPI);
    let head = server.request("HEAD", "/api/models", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.header("content-length").unwrap().parse::<usize>().unwrap() > 100);
}

/// Every documented path answers, and every parameter is known.
#[test]
fn the_openapi_text_is_true() {
    let server = Server::new("");
    for (path, methods) in OPENAPI["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut query: Vec<String> = Vec::new();
            for parameter in operation["parameters"].as_array().unwrap_or(&Vec::new()) {
                if parameter["in"] != "query" {
                    continue;
                }
                let name = parameter["name"].as_str().unwrap();
                let value = match name {
                    "model" => "tiny".to_owned(),
                    "format" => "png".to_owned(),
                    "id" => "another-id".to_owned(),
                    "mirror" => "on".to_owned(),
                    "confirm" => "off".to_owned(),
                    _ => {
                        let schema = &parameter["schema"];
                        let usual = Some(&schema["default"]).filter(|v| !v.is_null());
                        usual.unwrap_or(&schema["minimum"]).to_string()
                    }
                };
                query.push(format!("{name}={value}"));
            }
            // What can be watched and cancelled.
            let id = format!("id-to-{method}");
            let watched = path.contains("{id}");
            let _client = watched.then(|| server.begin(&format!("model=tiny&id={id}"), 100));
            let body = if operation["requestBody"].is_null() { Vec::new() } else { png(9, 9) };
            let method = &method.to_uppercase();
            let url = format!("{}?{}", path.replace("{id}", &id), query.join("&"));
            let answer = server.request(method, &url, &[], &body);
            let status = if method == "DELETE" { 202 } else { 200 };
            assert_eq!(answer.status, status, "{method} {path}");
            let kind = answer.header("content-type").unwrap().split(';').next().unwrap();
            let responses = &operation["responses"];
            let known = &responses[status.to_string()]["content"][kind];
            assert!(!known.is_null(), "{path}: {kind}");
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let server = Server::new("--max-steps 10");
    let good = png(8, 8);
    for (path, body, status, word) in [
        ("/api/restore", &good[..], 400, "model=NAME"),
        ("/api/restore?model=tiny&steps=11", &good, 400, "at most 10"),
        ("/api/restore?model=tiny&steps=0", &good, 400, "steps"),
        ("/api/restore?model=tiny&strength=5", &good, 400, "strength"),
        ("/api/restore?model=tiny&strength=nan", &good, 400, "strength"),
        ("/api/restore?model=tiny&eta=2", &good, 400, "eta"),
        ("/api/restore?model=tiny&format=webp", &png(16_385, 1), 400, "longest side"),
        ("/api/restore?model=tiny&colour=red", &good, 400, "colour"),
        ("/api/restore?model=%FF%00", &good, 400, "model"),
        ("/api/restore?model=other", &good, 404, "other"),
        ("/api/restore?model=tiny", b"", 422, "empty"),
        ("/api/restore?model=tiny", b"no picture", 422, "no picture"),
        ("/api/restore?model=tiny", b"\0\0\0\x20ftypavif....", 422, "AVIF"),
        ("/api/restore?model=tiny", &good[..good.len() / 2], 422, "broken"),
        ("/api/other", b"", 404, "nothing"),
        ("/api/models", b"", 405, "GET"),
        ("/", b"x", 405, "GET"),
    ] {
        let answer = server.post(path, body);
        let said = answer.json();
        assert_eq!(answer.status, status, "{path}: {said}");
        assert_eq!(said["error"]["status"], status);
        assert!(said["error"]["what"].as_str().unwrap().contains(word), "{path}: {said}");
    }
    let answer = server.get("/api/restore?model=tiny");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}
