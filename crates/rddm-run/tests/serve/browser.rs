//! The page, in a real browser.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{apart, until};
use crate::webdriver::{Browser, RIGHT};

/// A server and a browser that shows its page, ready for a picture.
fn page(words: &str) -> Option<(Server, Browser)> {
    let server = Server::new(words);
    let browser = Browser::start(&server.bench.path("downloads"))?;
    browser.open(server.url());
    browser.wait("document.getElementById('model').value");
    Some((server, browser))
}

/// The red, green and blue values of a picture on the page, row by row.
const PIXELS: &str = "
    const image = document.getElementById(arguments[0]);
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return [canvas.width, canvas.height, Array.from(data).filter((_, place) => place % 4 < 3)];";

fn shown(browser: &Browser, id: &str) -> rddm_image::Picture {
    let found = browser.run(PIXELS, json!([id]));
    let side = |at: usize| found[at].as_u64().unwrap() as usize;
    let (width, height) = (side(0), side(1));
    let values: Vec<f32> =
        found[2].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32 / 255.0).collect();
    rddm_image::Picture::new(ndarray::Array3::from_shape_fn((3, height, width), |(c, y, x)| {
        values[(y * width + x) * 3 + c]
    }))
}

#[test]
fn a_picture_is_restored_compared_and_downloaded() {
    let Some((server, browser)) = page("") else { return };
    let input = server.bench.picture("my rain.png", 300, 200);
    assert_eq!(browser.run("return document.getElementById('go').disabled", json!([])), true);
    browser.type_into("#file", server.bench.path("my rain.png").to_str().unwrap());
    browser.wait("document.getElementById('name').textContent === 'my rain.png'");
    browser.click("summary");
    browser.type_into("#steps", "2");
    browser.click("#go");
    browser.wait("!document.getElementById('result').hidden");

    std::fs::copy(server.bench.path("my rain.png"), server.bench.path("a.png")).unwrap();
    server.bench.restore("a.png -o b.png --steps 2").ends(0);
    let expected = server.bench.read("b.png");
    assert!(apart(&shown(&browser, "before"), &input) < 0.1);
    assert!(apart(&shown(&browser, "after"), &expected) < 0.1);

    browser.click("#download");
    let download = server.bench.path("downloads/my rain.tiny.png");
    until(|| download.exists());
    let bytes = |path: &std::path::Path| std::fs::read(path).unwrap();
    assert!(bytes(&download) == bytes(&server.bench.path("b.png")));
    assert_eq!(browser.errors(), Vec::<Value>::new());
}

#[test]
fn the_slider_follows_keys_and_mouse() {
    let Some((server, browser)) = page("") else { return };
    server.bench.picture("a.png", 300, 200);
    browser.type_into("#file", server.bench.path("a.png").to_str().unwrap());
    browser.click("#go");
    browser.wait("!document.getElementById('result').hidden");
    let clip = || {
        browser.run("return getComputedStyle(document.getElementById('after')).clipPath", json!([]))
    };
    let cut = || browser.run("return Number(document.getElementById('cut').value)", json!([]));
    assert_eq!(clip(), "inset(0px 0px 0px 50%)");
    browser.type_into("#cut", &RIGHT.repeat(20));
    assert_eq!((cut(), clip()), (json!(52), json!("inset(0px 0px 0px 52%)")));
    browser.press("#figure", -75, 0);
    browser.wait("Math.abs(document.getElementById('cut').value - 25) < 1");
    assert_ne!(clip(), "inset(0px 0px 0px 52%)");
}

const DROP: &str = "
    const carried = new DataTransfer();
    carried.items.add(new File([arguments[1]], arguments[0]));
    document.getElementById('drop').dispatchEvent(
        new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: carried }));";

#[test]
fn what_is_dropped_and_what_goes_wrong_is_said() {
    let Some((server, browser)) = page("--max-body 1kB") else { return };
    browser.run(DROP, json!(["notes.txt", "no picture"]));
    browser.wait("document.getElementById('name').textContent === 'notes.txt'");
    browser.click("#go");
    browser.wait("document.getElementById('status').classList.contains('bad')");
    let said = || browser.run("return document.getElementById('status').textContent", json!([]));
    assert!(said().as_str().unwrap().contains("no picture"), "{}", said());

    browser.run(DROP, json!(["large.png", "x".repeat(2000)]));
    browser.wait("document.getElementById('status').textContent.includes('1000 bytes')");
    // A server that is gone is said, too.
    server.interrupt().ends(0);
    browser.click("#go");
    browser.wait("document.getElementById('status').textContent.includes('does not answer')");
}

#[test]
fn progress_is_shown_and_cancelling_ends_the_work() {
    let Some((server, browser)) = page("--max-pictures 1 --max-steps 1000 --threads 1") else {
        return;
    };
    server.bench.picture("a.png", 1200, 900);
    browser.type_into("#file", server.bench.path("a.png").to_str().unwrap());
    browser.click("summary");
    browser.type_into("#steps", "500");
    assert_eq!(browser.run("return document.getElementById('work').hidden", json!([])), true);
    browser.click("#go");
    browser.wait("document.getElementById('bar').value > 0");
    browser.wait(
        "/^\\d+ %, about \\d+ (s|min) left$/.test(document.getElementById('left').textContent)",
    );
    let bar = || browser.run("return document.getElementById('bar').value", json!([]));
    let before = bar().as_f64().unwrap();
    browser.wait(&format!("document.getElementById('bar').value > {before}"));
    assert!(bar().as_f64().unwrap() < 1.0);
    assert_eq!(browser.errors(), Vec::<Value>::new());

    let small = crate::server::png(8, 8);
    let ask = || server.post("/api/restore?model=tiny", &small).status;
    assert_eq!(ask(), 503);
    browser.click("#cancel");
    browser.wait("document.getElementById('status').textContent === 'Cancelled.'");
    // The work has ended, not only the waiting for it.
    assert_eq!(ask(), 200);
    assert_eq!(browser.run("return document.getElementById('work').hidden", json!([])), true);
    browser.run("document.getElementById('steps').value = 1", json!([]));
    browser.click("#go");
    browser.wait("!document.getElementById('result').hidden");
}

#[test]
fn it_waits_for_a_place_and_need_not() {
    let Some((server, browser)) = page("--max-pictures 1") else { return };
    let picture = crate::server::png(8, 8);
    let status = |begin: &str| {
        browser
            .wait(&format!("document.getElementById('status').textContent.startsWith('{begin}')"));
    };
    let mut other = server.begin("model=tiny", picture.len());
    server.bench.picture("a.png", 60, 40);
    browser.type_into("#file", server.bench.path("a.png").to_str().unwrap());
    browser.click("#go");
    status("Another picture");
    browser.click("#cancel");
    status("Cancelled.");
    browser.click("#go");
    status("Another picture");
    other.write_all(&picture).unwrap();
    browser.wait("!document.getElementById('result').hidden");
    status("Restored in");
}

#[test]
fn every_control_has_a_name_and_every_text_is_seen_in_light_and_dark() {
    let Some((_server, browser)) = page("") else { return };
    const NAMELESS: &str = "
        return [...document.querySelectorAll('input, select, button, a, img, section, progress')]
            .filter(e => !(e.labels?.length || e.alt || e.ariaLabel || e.textContent.trim()))
            .map(e => e.id);";
    assert_eq!(browser.run(NAMELESS, json!([])), json!([]));
    // The contrast of the Web Content Accessibility Guidelines, 4.5 to 1.
    const CONTRAST: &str = "
        const light = text => {
            const [r, g, b] = text.match(/[\\d.]+/g).map(Number)
                .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const ground = light(getComputedStyle(document.body).backgroundColor);
        document.getElementById('status').className = arguments[0];
        const low = ['body', '#about', '#status', 'label', 'summary']
            .filter(css => ratio(light(getComputedStyle(document.querySelector(css)).color), ground) < 4.5);
        const go = getComputedStyle(document.getElementById('go'));
        if (ratio(light(go.color), light(go.backgroundColor)) < 4.5) low.push('#go');
        return [ground, low];";
    let grounds: Vec<f64> = ["light", "dark"]
        .map(|scheme| {
            let feature = json!({"name": "prefers-color-scheme", "value": scheme});
            browser.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
            for class in ["", "bad"] {
                let low = browser.run(CONTRAST, json!([class]));
                assert_eq!(low[1], json!([]), "{scheme} {class:?}");
            }
            browser.run(CONTRAST, json!([""]))[0].as_f64().unwrap()
        })
        .to_vec();
    assert!(grounds[0] > 0.8 && grounds[1] < 0.1, "{grounds:?}");
    assert_eq!(browser.run("return document.documentElement.lang", json!([])), "en");
}

#[test]
fn pages_of_other_sites_get_a_refusal() {
    let Some((server, browser)) = page("") else { return };
    // A name of somebody else's that was pointed here.
    browser.open(&format!("http://evil.example:{}/", server.address.port()));
    browser.wait("document.body.innerText.includes('another host')");

    // A page from elsewhere that sends a form here, which browsers allow.
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let form = format!(
        "<form method=post enctype=text/plain action='{}api/restore?model=tiny'>\
         <input name=picture value=x></form>",
        server.url()
    );
    std::thread::spawn(move || {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
        for mut stream in elsewhere.incoming().map_while(Result::ok) {
            // The head of the request tells nothing new; it is read so that the end is no reset.
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{form}", form.len());
        }
    });
    browser.open(&format!("http://evil.example:{port}/"));
    browser.run("document.forms[0].submit()", json!([]));
    browser.wait("document.body.innerText.includes('a page of another site')");
}
