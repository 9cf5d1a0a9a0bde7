//! The page, in a real browser.

use std::io::{Read as _, Write as _};

use ndarray::{Array2, Axis, s};
use rddm_image::Picture;
use serde_json::{Value, json};

use crate::server::Server;
use crate::support::{apart, until};
use crate::webdriver::{Browser, RIGHT};

/// A server and a browser that shows its page, ready for a picture.
fn page(words: &str) -> Option<(Server, Browser)> {
    browse(Server::new(words))
}

fn browse(server: Server) -> Option<(Server, Browser)> {
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

fn shown(browser: &Browser, id: &str) -> Picture {
    let found = browser.run(PIXELS, json!([id]));
    let side = |at: usize| found[at].as_u64().unwrap() as usize;
    let (width, height) = (side(0), side(1));
    let values: Vec<f32> =
        found[2].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32 / 255.0).collect();
    Picture::new(ndarray::Array3::from_shape_fn((3, height, width), |(c, y, x)| {
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
    assert_eq!(browser.run("return document.getElementById('masking').hidden", json!([])), true);
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
    let Some((server, browser)) = page("--max-pictures 1 --timeout 300") else { return };
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

/// What is painted of the mask, row by row: whether a pixel is white in what is sent.
fn painted(browser: &Browser) -> Array2<bool> {
    const PAINT: &str = "
        const { width, height } = document.getElementById('mask');
        const data = document.getElementById('mask').getContext('2d').getImageData(0, 0, width, height).data;
        return [width, height, Array.from(data).filter((_, place) => place % 4 === 3)];";
    let found = browser.run(PAINT, json!([]));
    let side = |at: usize| found[at].as_u64().unwrap() as usize;
    let paint = found[2].as_array().unwrap().iter().map(|paint| paint.as_u64().unwrap() > 127);
    Array2::from_shape_vec((side(1), side(0)), paint.collect()).unwrap()
}

fn as_picture(mask: &Array2<bool>) -> Picture {
    Picture::new(mask.map(|marked| f32::from(*marked)).insert_axis(Axis(0)))
}

#[test]
fn a_mask_is_painted_and_the_picture_changes_where_it_is() {
    let Some((server, browser)) = browse(Server::masked("")) else { return };
    server.bench.picture("a.png", 300, 200);
    let hidden = |id: &str| {
        browser.run("return document.getElementById(arguments[0]).hidden", json!([id])) == true
    };
    let idle = || browser.run("return document.getElementById('go').disabled", json!([])) == true;
    assert!(hidden("masking"));
    browser.type_into("#file", server.bench.path("a.png").to_str().unwrap());
    browser.wait("document.getElementById('mask').width === 300");
    assert!(!hidden("masking") && !hidden("easel") && idle());

    // A stroke of 12 pixels, 4 % of the longer side, from 100, 80 to 140, 80 and on to 140, 120.
    browser.drag("#mask", &[(-50, -20), (-10, -20), (-10, 20)]);
    assert!(!idle());
    let mask = painted(&browser);
    assert_eq!(mask.dim(), (200, 300));
    let from_stroke = |y: usize, x: usize| {
        let to = |low: usize, high: usize, at: usize| at.clamp(low, high).abs_diff(at) as f32;
        let first = to(80, 80, y).hypot(to(100, 140, x));
        first.min(to(80, 120, y).hypot(to(140, 140, x)))
    };
    for ((y, x), &marked) in mask.indexed_iter() {
        let far = from_stroke(y, x);
        assert!(if marked { far < 8.0 } else { far > 4.0 }, "{x}, {y} is {far} from the stroke");
    }

    browser.click("summary");
    browser.type_into("#steps", "1");
    browser.click("#go");
    browser.wait("!document.getElementById('result').hidden");
    server.bench.save("mask.png", &as_picture(&mask));
    server.bench.save("none.png", &as_picture(&mask.map(|_| false)));
    server.bench.restore("a.png -o b.png --steps 1 --mask mask.png").ends(0);
    server.bench.restore("a.png -o c.png --steps 1 --mask none.png").ends(0);
    let (after, without) = (shown(&browser, "after"), server.bench.read("c.png"));
    assert!(apart(&after, &server.bench.read("b.png")) < 0.1);
    // The network looks 6 pixels far: there is a difference near the mask, and nowhere else.
    let differs = |y: usize, x: usize| {
        (0..3).any(|c| (after.pixels[(c, y, x)] - without.pixels[(c, y, x)]).abs() > 0.5 / 255.0)
    };
    let near = |(y, x): (usize, usize)| {
        let rows = y.saturating_sub(8)..(y + 9).min(200);
        mask.slice(s![rows, x.saturating_sub(8)..(x + 9).min(300)]).iter().any(|marked| *marked)
    };
    let changed: Vec<_> =
        ndarray::indices((200, 300)).into_iter().filter(|&(y, x)| differs(y, x)).collect();
    assert!(changed.len() > 500 && changed.iter().all(|&place| near(place)), "{changed:?}");
    assert_eq!(browser.errors(), Vec::<Value>::new());

    // What is painted can be taken away, a part of it or all.
    browser.click("#erase");
    browser.drag("#mask", &[(-50, -20)]);
    let less = painted(&browser);
    assert!(!less[(80, 100)] && less[(80, 140)] && mask[(80, 100)]);
    browser.click("#clear");
    assert!(painted(&browser).iter().all(|marked| !marked) && idle());
}

#[test]
fn a_mask_can_come_from_a_file() {
    let Some((server, browser)) = browse(Server::masked("")) else { return };
    server.bench.picture("a.png", 60, 40);
    server.bench.picture("b.png", 50, 40);
    let mask = Array2::from_shape_fn((40, 60), |(y, x)| x > 20 && y < 30);
    server.bench.save("mask.png", &as_picture(&mask));
    let path = |name: &str| server.bench.path(name).to_str().unwrap().to_owned();
    let status = |part: &str| {
        browser.wait(&format!("document.getElementById('status').textContent.includes('{part}')"));
    };
    let restored = || {
        browser.click("#go");
        status("Restored in");
        shown(&browser, "after")
    };
    browser.type_into("#file", &path("a.png"));
    browser.wait("document.getElementById('mask').width === 60");
    browser.type_into("#maskfile", &path("b.png"));
    status("50×40");
    assert_eq!(browser.run("return document.getElementById('go').disabled", json!([])), true);

    browser.type_into("#maskfile", &path("mask.png"));
    browser.wait("!document.getElementById('go').disabled");
    until(|| painted(&browser) == mask);
    server.bench.restore("a.png -o c.png --mask mask.png").ends(0);
    assert!(apart(&restored(), &server.bench.read("c.png")) < 0.1);

    // It can be painted on.
    browser.drag("#mask", &[(-25, 15), (-20, 15)]);
    let more = painted(&browser);
    assert!(more[(35, 5)] && more[(20, 40)] && !more[(20, 5)]);
    server.bench.save("more.png", &as_picture(&more));
    server.bench.restore("a.png -o d.png --mask more.png").ends(0);
    browser.run("document.getElementById('status').textContent = ''", json!([]));
    assert!(apart(&restored(), &server.bench.read("d.png")) < 0.1);

    // It is dropped like a picture, where the mask is; a new picture has none.
    browser.run(
        &DROP.replace("getElementById('drop')", "getElementById('clear')"),
        json!(["notes.txt", "no mask"]),
    );
    browser.wait("document.getElementById('maskfile').files[0]?.name === 'notes.txt'");
    browser.click("#go");
    status("the mask");
    browser.type_into("#file", &path("b.png"));
    browser.wait("document.getElementById('mask').width === 50");
    assert_eq!(browser.run("return document.getElementById('go').disabled", json!([])), true);
}

#[test]
fn every_control_has_a_name_and_every_text_is_seen_in_light_and_dark() {
    let Some((_server, browser)) = page("") else { return };
    const NAMELESS: &str = "
        return [...document.querySelectorAll('input, select, button, a, img, section, progress, canvas')]
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
