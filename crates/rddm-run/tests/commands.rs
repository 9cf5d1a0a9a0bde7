//! The subcommands.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::Bench;

#[test]
fn metrics_of_two_pictures() {
    let bench = Bench::new();
    let a = bench.picture("a.png", 40, 30);
    let mut b = a.clone();
    b.pixels.mapv_inplace(
        |value| if value > 0.5 { value - 26.0 / 255.0 } else { value + 26.0 / 255.0 },
    );
    bench.save("b.png", &b);
    let report = bench.run("metrics a.png b.png --json").ends(0).json();
    let pair = &report["pictures"][0];
    // Every value is 26 of 255 levels away.
    let expected = -20.0 * (26.0f64 / 255.0).log10();
    assert!((pair["psnr_rgb"].as_f64().unwrap() - expected).abs() < 1e-3, "{pair}");
    assert!((pair["mae"].as_f64().unwrap() - 26.0 / 255.0).abs() < 1e-5);
    assert!(pair["ssim_y"].as_f64().unwrap() < 1.0);
    let text = bench.run("metrics a.png b.png").ends(0).text();
    assert!(text.contains("PSNR Y") && text.contains(&format!("{expected:.3}")), "{text}");

    let same = bench.run("metrics a.png a.png --json").ends(0).json();
    assert!(same["pictures"][0]["psnr_rgb"].is_null());
    assert_eq!(same["pictures"][0]["mae"], 0.0);
}

/// A picture is compared with that of its own name, and what has no partner is said.
#[test]
fn metrics_pair_equal_names_first() {
    let bench = Bench::new();
    let picture = bench.picture("m1/p.png", 20, 16);
    bench.save("m2/p.png", &picture);
    bench.save("m2/q.png", &picture);
    for name in ["m1/p.jpg", "m2/p.bmp", "m1/q.bmp", "m1/only-here.png", "m2/only-there.png"] {
        bench.save(name, &picture);
    }
    let done = bench.run("metrics m1 m2 --json").ends(0).says(&["m1/p.jpg has no partner"]);
    let report = done.json();
    let pair = |index: usize| {
        let pair = &report["pictures"][index];
        [&pair["a"], &pair["b"]].map(|path| path.as_str().unwrap().to_owned())
    };
    assert_eq!(report["pictures"].as_array().unwrap().len(), 2);
    assert_eq!(pair(0), ["m1/p.png", "m2/p.png"]);
    assert_eq!(pair(1), ["m1/q.bmp", "m2/q.png"]);
    let alone = ["m1/only-here.png", "m1/p.jpg", "m2/only-there.png", "m2/p.bmp"];
    assert_eq!(report["alone"], serde_json::json!(alone));
}

#[test]
fn metrics_of_folders_and_sizes() {
    let bench = Bench::new();
    bench.picture("a/1.png", 40, 30);
    bench.picture("a/sub/2.png", 40, 30);
    bench.picture("a/alone.png", 40, 30);
    bench.picture("b/1.tif", 40, 30);
    bench.picture("b/sub/2.png", 41, 31);
    // What restoring passes over, too.
    for folder in ["a", "b"] {
        bench.write(&format!("{folder}/._1.png"), b"\0\x05\x16\x07\0\x02\0\0Mac OS X");
        #[cfg(unix)]
        std::os::unix::fs::symlink("sub", bench.path(&format!("{folder}/link.png"))).unwrap();
    }
    let done = bench.run("metrics a b --json").ends(9).says(&["40×30", "41×31", "--crop"]);
    let report = done.json();
    assert_eq!(report["failed"], 1);
    assert_eq!(report["pictures"].as_array().unwrap().len(), 2);
    let report = bench.run("metrics a b --crop --json").ends(0).json();
    assert!(report["mean"]["ssim_rgb"].as_f64().unwrap() > 0.99);

    bench.run("metrics a a/1.png").ends(2);
    bench.run("metrics a/1.png none.png").ends(3).says(&["none.png"]);
    // One that has no number has no part in the mean.
    for (name, sides) in [("2.png", [3, 3]), ("1.png", [40, 30])] {
        let picture = bench.picture(&format!("c/{name}"), sides[0], sides[1]);
        bench.save(&format!("d/{name}"), &picture);
    }
    bench.save("c/3.png", &support::colours(20, 20));
    bench.save("d/3.png", &rddm_image::Picture::new(ndarray::Array3::zeros((3, 20, 20))));
    let done = bench.run("metrics c d --json").ends(0);
    let done = done.says(&["SSIM: 2 of 3 have one", "PSNR RGB: 1 of 3 have one"]);
    let report = done.json();
    assert_eq!(report["mean"]["psnr_y"], report["pictures"][2]["psnr_y"]);
    assert!(report["mean"]["ssim_y"].as_f64().unwrap() > 0.5);
    assert_eq!(report["mean_of"]["ssim_rgb"], 2);
    bench.picture("tiny.png", 3, 3);
    let small = bench.run("metrics tiny.png tiny.png --json").ends(0).json();
    assert!(small["pictures"][0]["ssim_rgb"].is_null());
}

#[test]
fn devices_are_listed() {
    let bench = Bench::new();
    let report = bench.run("devices --json").ends(0).json();
    assert_eq!(report["engines"][0]["name"], "tract");
    assert_eq!(report["engines"][0]["devices"][0]["device"], "cpu");
    assert_eq!(report["engines"][0]["devices"][0]["available"], true);
    assert!(bench.run("devices").ends(0).text().contains("tract"));
}

#[test]
fn the_self_test_passes_here() {
    let bench = Bench::new();
    let words = "self-test --model tiny --registry registry --allow-unsigned --json";
    let report = bench.run(words).ends(0).json();
    assert_eq!(report["passed"], true);
    let of_tract: Vec<_> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["engine"] == "tract")
        .collect();
    assert_eq!(of_tract.len(), 3);
    assert!(of_tract.iter().all(|check| check["passed"] == true), "{report}");
}

#[test]
fn the_bench_times_pictures_and_networks() {
    let bench = Bench::new();
    let words =
        "bench --model tiny --registry registry --allow-unsigned --size 64x64 --rounds 2 --json";
    let report = bench.run(&format!("{words} --tile 32,0")).ends(0).json();
    assert_eq!(report["what"], "picture");
    assert_eq!(report["rows"].as_array().unwrap().len(), 2);
    assert!(report["rows"][1]["seconds"].as_f64().unwrap() > 0.0);
    let report = bench.run(&format!("{words} --network")).ends(0).json();
    assert_eq!(report["what"], "network");
    bench
        .run("bench --model tiny --registry registry --allow-unsigned --network --size 63x64")
        .ends(2);
}

#[test]
fn the_bench_makes_the_masks_that_a_model_needs() {
    let bench = Bench::new();
    let zoo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests");
    let words = format!("bench --model shadow-mask --registry {zoo} --rounds 1 --json");
    let report = bench.run(&format!("{words} --size 48x32 --tile 32,0")).ends(0).json();
    assert_eq!(report["rows"].as_array().unwrap().len(), 2);
    let report = bench.run(&format!("{words} --files 0.01")).ends(0).json();
    assert_eq!(report["what"], "files");
}

#[test]
fn help_version_completions_and_manual() {
    let bench = Bench::new();
    let help = bench.run("--help").ends(0).text();
    for word in ["--model <NAME>", "--strength", "metrics", "serve", "Exit codes", "RDDM_REGISTRY"]
    {
        assert!(help.contains(word), "{word} is not in {help}");
    }
    assert!(bench.run("--version").ends(0).text().starts_with("rddm-run 0."));
    assert!(bench.run("completions bash").ends(0).text().contains("rddm-run"));
    assert!(bench.run("man").ends(0).text().starts_with(".ie"));
    assert!(bench.run("man bench").ends(0).text().contains("overlap"));
    bench.run("man nothing").ends(2).says(&["no command nothing"]);
    bench.run("bench --model tiny a.png").ends(2);
}
