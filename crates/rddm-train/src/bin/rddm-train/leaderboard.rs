//! `rddm-train leaderboard`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rddm_manifest::Digest;
use rddm_train::run::write;
use serde::Deserialize;

use crate::eval::VARIANTS;
use crate::report::{Report, unread};
use crate::{Failure, print};

/// Writes the page that compares the zoo's models with each other and with other methods, from the figures in `eval.json` of
/// each model, and in `classical.json` and `published.json` of the zoo. Figures of networks that `model.toml` does not name are
/// left out.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the zoo.
    #[arg(long, default_value = "zoo")]
    zoo: PathBuf,
    /// The page, Markdown.
    #[arg(short, long, default_value = "docs/leaderboard.md")]
    output: PathBuf,
    /// Writes nothing, and fails (3) where the page is not what the figures make, or figures are of another network.
    #[arg(long)]
    check: bool,
}

/// What a method reached on a data set; what was not measured is none.
#[derive(Debug, Clone, Default, Deserialize)]
struct Line {
    #[serde(default)]
    dataset: String,
    method: String,
    steps: Option<usize>,
    psnr_rgb: Option<f64>,
    psnr_y: Option<f64>,
    ssim_rgb: Option<f64>,
    least_gain: Option<f64>,
    seconds_per_megapixel: Option<f64>,
    bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Others {
    rows: Vec<Line>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let (mut lines, left_out) = models(&arguments.zoo)?;
    if arguments.check && !left_out.is_empty() {
        return Err(Failure { code: 3, text: left_out.join("\n") });
    }
    left_out.iter().for_each(|text| print::note(text));
    for name in ["classical.json", "published.json"] {
        let path = arguments.zoo.join(name);
        if path.exists() {
            let text = fs::read(&path).map_err(|error| unread(&path, &error))?;
            let others: Others =
                serde_json::from_slice(&text).map_err(|error| unread(&path, &error))?;
            lines.extend(others.rows);
        }
    }
    let page = page(&lines);
    let path = &arguments.output;
    if !arguments.check {
        return Ok(write(path, page.as_bytes())?);
    }
    let found = fs::read_to_string(path).map_err(|error| unread(path, &error))?;
    if found != page {
        let text = format!("{} is older than the figures; leave --check out", path.display());
        return Err(Failure { code: 3, text });
    }
    Ok(())
}

/// What `eval.json` of each model says, and the input of each data set as a method that does nothing; beside them, whose figures
/// are of another network.
fn models(zoo: &Path) -> Result<(Vec<Line>, Vec<String>), Failure> {
    let entries = fs::read_dir(zoo).map_err(|error| unread(zoo, &error))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("eval.json").exists())
        .collect();
    folders.sort();
    let mut lines: BTreeMap<(String, String, usize), Line> = BTreeMap::new();
    let mut left_out = Vec::new();
    for folder in folders {
        let model = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (digests, bytes) = networks(&folder)?;
        let report = Report::read(&folder.join("eval.json"))?;
        if !report.is_of(&digests) {
            left_out.push(format!(
                "{model}: eval.json was measured on another network, or does not say on which; measure it again"
            ));
            continue;
        }
        for row in report.rows {
            let engine = if row.engine == "tract" { "" } else { row.engine.as_str() };
            let of_variant = |variant| Some((row.dataset.strip_suffix(variant)?, variant));
            let (dataset, variant) =
                VARIANTS.into_iter().find_map(of_variant).unwrap_or((&row.dataset, ""));
            let method = format!("{model}{variant} {engine}").trim().to_owned();
            let mut set = |method: &str, steps: Option<usize>, value: f64| {
                let key = (dataset.to_owned(), method.to_owned(), steps.unwrap_or(0));
                let line = lines.entry(key).or_default();
                (line.dataset, line.method) = (dataset.to_owned(), method.to_owned());
                line.steps = steps;
                match row.metric.as_str() {
                    "psnr_rgb" => line.psnr_rgb = Some(value),
                    "psnr_y" => line.psnr_y = Some(value),
                    "ssim_rgb" => line.ssim_rgb = Some(value),
                    _ => {}
                }
                line.least_gain = line.least_gain.or_else(|| row.more.get("least_gain")?.as_f64());
                let seconds = || row.more.get("seconds_per_megapixel")?.as_f64();
                line.seconds_per_megapixel = line.seconds_per_megapixel.or_else(seconds);
            };
            if let Some(input) = row.input {
                set(&method, Some(row.steps), row.value);
                set("", None, input);
            }
        }
        for line in lines.values_mut().filter(|line| line.method.starts_with(&model)) {
            line.bytes = Some(bytes);
        }
    }
    let mut lines: Vec<Line> = lines.into_values().collect();
    for line in lines.iter_mut().filter(|line| line.method.is_empty()) {
        let dataset = std::mem::take(&mut line.dataset);
        let method = "the input".to_owned();
        *line =
            Line { dataset, method, least_gain: None, seconds_per_megapixel: None, ..line.clone() };
    }
    Ok((lines, left_out))
}

/// What is read here of `model.toml`.
#[derive(Deserialize)]
struct Model {
    networks: Vec<Network>,
}

#[derive(Deserialize)]
struct Network {
    file: PathBuf,
}

/// The digests and the bytes of a model's networks.
fn networks(folder: &Path) -> Result<(Vec<Digest>, u64), Failure> {
    let path = folder.join("model.toml");
    let text = fs::read_to_string(&path).map_err(|error| unread(&path, &error))?;
    let model: Model = toml::from_str(&text).map_err(|error| unread(&path, &error))?;
    let (mut digests, mut sum) = (Vec::new(), 0);
    for Network { file } in model.networks {
        let path = folder.join(file);
        let bytes = fs::read(&path).map_err(|error| unread(&path, &error))?;
        digests.push(Digest::of(&bytes));
        sum += bytes.len() as u64;
    }
    Ok((digests, sum))
}

fn page(lines: &[Line]) -> String {
    let mut page = String::from(
        "# Leaderboard\n\n\
         Made by `rddm-train leaderboard` from `zoo/*/eval.json`, `zoo/classical.json` (measured by `zoo/classical.py` on the same\n\
         pictures) and `zoo/published.json` (figures of papers, on the test sets that are named). Best first, by Y where a row has no\n\
         RGB. Least: the gain of the picture that gained least, dB RGB. Time: processor seconds a megapixel, one thread, on whichever machine measured the row; they\n\
         differ by up to three times, so that only greater differences between rows say anything.\n\n\
         The zoo's models learnt from none of these pictures, but among several states of a training the one that is published was often\n\
         chosen by these figures (`docs/decisions/training.md` says where): a tenth of a dB may be luck. `once` is `--mirror off`, `unconfirmed`\n\
         `--confirm off`, `ensemble` `--ensemble`. Papers' figures of PReNet are of other training sets and whole test sets. DND and SIDD are real noise of\n\
         other cameras, not measured here: what DnCNN, FFDNet and MCWNNM reached, to see which of them does well on such noise.\n",
    );
    let mut datasets: Vec<&str> = lines.iter().map(|line| line.dataset.as_str()).collect();
    datasets.sort_unstable_by_key(|name| (name.to_lowercase(), *name));
    datasets.dedup();
    for dataset in datasets {
        let _ = write!(
            page,
            "\n## {dataset}\n\n| method | steps | PSNR RGB | PSNR Y | SSIM RGB | least | s/MP | MiB |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        );
        let mut rows: Vec<&Line> = lines.iter().filter(|line| line.dataset == dataset).collect();
        // By the one metric that every row has: some papers give Y alone.
        let by_y = rows.iter().any(|line| line.psnr_rgb.is_none());
        let rank = |line: &Line| (if by_y { line.psnr_y } else { line.psnr_rgb }).unwrap_or(0.0);
        rows.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        for line in rows {
            let number = |value: Option<f64>, places: usize| {
                value.map_or(String::new(), |value| format!("{value:.places$}"))
            };
            let steps = line.steps.map_or(String::new(), |steps| steps.to_string());
            let least = line.least_gain.map_or(String::new(), |gain| format!("{gain:+.2}"));
            let size = line.bytes.map(|bytes| bytes as f64 / f64::from(1 << 20));
            let _ = writeln!(
                page,
                "| {} | {steps} | {} | {} | {} | {least} | {} | {} |",
                line.method,
                number(line.psnr_rgb, 2),
                number(line.psnr_y, 2),
                number(line.ssim_rgb, 4),
                number(line.seconds_per_megapixel, 2),
                number(size, 1),
            );
        }
    }
    page
}
