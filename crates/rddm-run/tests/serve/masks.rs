//! Models that are told by a mask what to restore.

use ndarray::Array3;
use rddm_image::Picture;

use crate::server::{Server, form, png};

/// A mask with a white rectangle.
fn rectangle(width: usize, height: usize) -> Picture {
    Picture::new(Array3::from_shape_fn((1, height, width), |(_, y, x)| {
        f32::from(y > height / 3 && x > width / 4 && x < width / 2)
    }))
}

fn encoded(picture: &Picture) -> Vec<u8> {
    rddm_image::encode(picture, &Default::default()).unwrap().bytes
}

#[test]
fn a_picture_and_its_mask_come_back_as_the_command_writes_them() {
    let server = Server::masked("");
    assert_eq!(server.get("/api/models").json()["models"][0]["mask"], true);
    server.bench.picture("a.png", 75, 52);
    server.bench.save("mask.png", &rectangle(75, 52));
    let file = |name: &str| std::fs::read(server.bench.path(name)).unwrap();
    let (picture, mask) = (file("a.png"), file("mask.png"));
    let ask = |parts: &[(&str, &[u8])]| {
        let (kind, body) = form(parts);
        let answer = server.request("POST", "/api/restore?model=tiny&seed=5&id=a", &[kind], &body);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.body
    };
    let restored = ask(&[("picture", &picture), ("mask", &mask)]);
    server.bench.restore("a.png -o b.png --seed 5 --mask mask.png").ends(0);
    assert!(restored == file("b.png"));
    assert!(restored == ask(&[("mask", &mask), ("picture", &picture)]));
    // Colours are taken as grey, and it matters what is white.
    let white = Picture::new(Array3::ones((1, 52, 75)));
    let coloured = Picture::new(Array3::ones((3, 52, 75)));
    let all = ask(&[("picture", &picture), ("mask", &encoded(&white))]);
    assert!(all != restored);
    assert!(all == ask(&[("picture", &picture), ("mask", &encoded(&coloured))]));
}

#[test]
fn a_mask_that_is_missing_or_wrong_is_said() {
    let server = Server::masked("--max-body 20kB");
    let (picture, mask) = (png(40, 30), encoded(&rectangle(40, 30)));
    let (turned, broken) = (encoded(&rectangle(30, 40)), &mask[..mask.len() / 2]);
    let filler = vec![0; 20_000];
    for (parts, status, words) in [
        (&[("picture", &picture[..])][..], 400, &["needs a mask", "multipart/form-data"][..]),
        (&[("mask", &mask)], 400, &["no part picture"]),
        (&[("picture", &picture), ("mask", &turned)], 422, &["30×40", "40×30"]),
        (&[("picture", &picture), ("mask", broken)], 422, &["the mask", "broken"]),
        (&[("picture", &picture), ("mask", b"")], 422, &["the mask", "empty"]),
        (&[("picture", broken), ("mask", &mask)], 422, &["broken"]),
        (&[("picture", &picture), ("mask", &mask), ("mask", &mask)], 400, &["twice"]),
        (&[("picture", &picture), ("musk", &mask)], 400, &["musk", "picture and mask"]),
        (&[("picture", &picture), ("mask", &filler)], 413, &["20000", "--max-body"]),
    ] {
        let (kind, body) = form(parts);
        let answer = server.request("POST", "/api/restore?model=tiny", &[kind], &body);
        let said = answer.json().to_string();
        assert_eq!(answer.status, status, "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    let plain = server.post("/api/restore?model=tiny", &picture);
    assert_eq!(plain.status, 400);
    assert!(plain.json()["error"]["what"].as_str().unwrap().contains("needs a mask"));
    let kind = "Content-Type: multipart/form-data";
    let answer = server.request("POST", "/api/restore?model=tiny", &[kind], &picture);
    assert!(answer.status == 400 && answer.json().to_string().contains("boundary"));
}

#[test]
fn other_models_take_a_form_without_a_mask() {
    let server = Server::new("");
    assert_eq!(server.get("/api/models").json()["models"][0]["mask"], false);
    let picture = png(40, 30);
    let (kind, body) = form(&[("picture", &picture)]);
    let answer = server.request("POST", "/api/restore?model=tiny", &[kind], &body);
    assert!(answer.body == server.post("/api/restore?model=tiny", &picture).body);
    let mask = encoded(&rectangle(40, 30));
    let (kind, body) = form(&[("picture", &picture), ("mask", &mask)]);
    let answer = server.request("POST", "/api/restore?model=tiny", &[kind], &body);
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"]["what"].as_str().unwrap().contains("takes no mask"));
}
