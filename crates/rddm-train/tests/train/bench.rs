//! A folder with pictures and a recipe, and the commands on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use rddm_train::log::read;

pub(crate) const RECIPE: &str = r#"
schema = 1
id = "tiny"

[network]
family = "edge"
widths = [8, 8]
blocks = [1, 1]
time_width = 8

[[data]]
kind = "pairs"
input = "input"
target = "gt"

[[data]]
kind = "degraded"
clean = "gt"
degradation = { kind = "camera_noise" }

[[data]]
kind = "degraded"
clean = "gt"
degradation = { kind = "rain", angle = [10.0, 10.0] }

[training]
steps = STEPS
batch = 4
crop = 16
warmup = 2
workers = 2
checkpoint_every = 4

[validation]
every = 3
hold_out = ["c"]
crop = 24
steps = [1, 2]
"#;

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    /// Three pictures of 40×36 pixels and the same ones too dark.
    pub(crate) fn new(steps: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (part, light) in [("gt", 1.0), ("input", 0.6)] {
            fs::create_dir_all(folder.path().join("data").join(part)).unwrap();
            for (index, name) in ["a.png", "b.png", "c.png"].iter().enumerate() {
                let picture = RgbImage::from_fn(40, 36, |x, y| {
                    let value = |k: u32| {
                        let wave = f64::from(x * k + y * (index as u32 + 2)) / 9.0;
                        ((127.0 + 100.0 * wave.sin()) * light) as u8
                    };
                    Rgb([value(1), value(2), value(3)])
                });
                picture.save(folder.path().join("data").join(part).join(name)).unwrap();
            }
        }
        let recipe = RECIPE.replace("STEPS", &steps.to_string());
        fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, out: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rddm-train"));
        command
            .arg("train")
            .arg(self.path("recipe.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .arg("--out")
            .arg(self.path(out));
        command
    }

    pub(crate) fn train(&self, out: &str) -> Output {
        self.command(out).output().unwrap()
    }

    pub(crate) fn evaluate(&self, run: &str, data: &str, options: &[&str]) -> Output {
        self.evaluation(run, data, options).output().unwrap()
    }

    pub(crate) fn evaluation(&self, run: &str, data: &str, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rddm-train"));
        command.args(["eval", "--run"]).arg(self.path(run)).arg("--data").arg(self.path(data));
        command.args(options);
        command
    }

    /// The table of an evaluation of a run on the clean pictures, degraded as the recipe does.
    pub(crate) fn evaluate_degraded(&self, run: &str) -> String {
        let recipe = self.path("recipe.toml");
        let output = self.evaluate(run, "data/gt", &["--degraded", recipe.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

pub(crate) fn curve(run: &Path) -> Vec<(usize, f64, Vec<f64>)> {
    read(&run.join("log.jsonl"), usize::MAX)
        .unwrap()
        .into_iter()
        .map(|entry| {
            (entry.step, entry.loss, entry.scores.iter().map(|score| score.psnr).collect())
        })
        .collect()
}

/// Trains three steps of the recipe with the changes, in each of which `from` becomes `to`.
pub(crate) fn trains_with(changes: &[(&str, &str)]) -> Bench {
    let bench = Bench::new(3);
    let text = RECIPE.replace("STEPS", "3");
    let text = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    fs::write(bench.path("recipe.toml"), text).unwrap();
    let output = bench.train("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bench
}
