//! `rddm-run metrics A B`

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis, Slice};
use rddm_image::{Limits, is_helper};
use rddm_metrics::{mae, psnr_rgb, psnr_y, ssim_rgb, ssim_y};
use serde::Serialize;

use crate::args::Metrics;
use crate::failure::{Failure, code};
use crate::inputs::is_picture_file;
use crate::report::{Trouble, all_lossy, lossy};
use crate::terminal::{Terminal, table};

#[derive(Serialize)]
struct Report {
    schema: u32,
    pictures: Vec<Pair>,
    /// Pictures of one folder without a partner in the other.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "all_lossy")]
    alone: Vec<PathBuf>,
    /// Means over the pictures that have a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<Measures>,
    /// Of how many pictures each is the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_of: Option<Measures<usize>>,
    failed: usize,
}

#[derive(Serialize)]
struct Pair {
    #[serde(serialize_with = "lossy")]
    a: PathBuf,
    #[serde(serialize_with = "lossy")]
    b: PathBuf,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    measures: Option<Measures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
}

/// In JSON, null stands for the infinite PSNR of equal pictures, and for the SSIM of pictures that
/// are smaller than its window.
#[derive(Clone, Copy, Serialize)]
struct Measures<T = f64> {
    psnr_rgb: T,
    psnr_y: T,
    ssim_rgb: T,
    ssim_y: T,
    mae: T,
}

pub(crate) fn run(args: &Metrics, terminal: &mut Terminal) -> Result<u8, Failure> {
    let Pairs { found, alone } = pairs(&args.a, &args.b)?;
    for path in &alone {
        let path = path.display();
        terminal.note(&format!("note: {path} has no partner of its name in the other folder"));
    }
    let mut pictures = Vec::new();
    let mut first_code = 0;
    for (a, b) in found {
        let (measures, error) = match measure(&a, &b, args.crop) {
            Ok(measures) => (Some(measures), None),
            Err(failure) => {
                terminal.failed(&failure);
                first_code = failure.code;
                (None, Some((&failure).into()))
            }
        };
        pictures.push(Pair { a, b, measures, error });
    }
    let measured: Vec<Measures> = pictures.iter().filter_map(|pair| pair.measures).collect();
    let failed = pictures.len() - measured.len();
    let mean = Measures::mean(&measured);
    let mean_of = mean.map(|_| Measures::finite(&measured));
    if let Some(of) = &mean_of {
        for (what, of, why) in [
            ("PSNR RGB", of.psnr_rgb, "equal"),
            ("PSNR Y", of.psnr_y, "equal"),
            ("SSIM", of.ssim_y, "too small"),
        ] {
            if measured.len() > 1 && of < measured.len() {
                terminal.note(&format!(
                    "note: {what}: {of} of {} have one, the others are {why}",
                    measured.len()
                ));
            }
        }
    }
    let report = Report { schema: 1, mean, mean_of, failed, alone, pictures };
    terminal.result(&rows(&report))?;
    terminal.report(&report)?;
    Ok(match (failed, report.pictures.len()) {
        (0, _) => 0,
        (_, 1) => first_code,
        _ => code::SOME_FAILED,
    })
}

fn measure(a: &Path, b: &Path, crop: bool) -> Result<Measures, Failure> {
    let limits = Limits::default();
    let first = rddm_image::read(a, &limits)?.pixels;
    let second = rddm_image::read(b, &limits)?.pixels;
    let channels = first.dim().0.max(second.dim().0);
    let mut first = rddm_image::with_channels(first.view(), channels)?;
    let mut second = rddm_image::with_channels(second.view(), channels)?;
    if crop {
        let (height, width) =
            (first.dim().1.min(second.dim().1), first.dim().2.min(second.dim().2));
        for picture in [&mut first, &mut second] {
            picture.slice_axis_inplace(Axis(1), Slice::from(..height));
            picture.slice_axis_inplace(Axis(2), Slice::from(..width));
        }
    }
    Measures::of(&first, &second).map_err(|error| {
        let failure = Failure::from(error);
        let failure = Failure::new(
            failure.code,
            format!("{} and {}: {}", a.display(), b.display(), failure.what),
        );
        if first.dim() != second.dim() {
            failure.with_next("--crop compares the top left part that both have")
        } else {
            failure
        }
    })
}

impl<T> Measures<T> {
    /// What is made of each measure.
    fn each(of: impl Fn(fn(&Measures) -> f64) -> T) -> Self {
        Self {
            psnr_rgb: of(|m| m.psnr_rgb),
            psnr_y: of(|m| m.psnr_y),
            ssim_rgb: of(|m| m.ssim_rgb),
            ssim_y: of(|m| m.ssim_y),
            mae: of(|m| m.mae),
        }
    }
}

impl Measures {
    fn of(a: &Array3<f32>, b: &Array3<f32>) -> Result<Self, rddm_metrics::Error> {
        let (a, b) = (a.view(), b.view());
        // Too small a picture has every measure but this one.
        let similarity = |measured: Result<f64, rddm_metrics::Error>| match measured {
            Err(error) if error.kind() == rddm_metrics::ErrorKind::Size && !a.is_empty() => {
                Ok(f64::NAN)
            }
            measured => measured,
        };
        Ok(Self {
            psnr_rgb: psnr_rgb(a, b)?,
            psnr_y: psnr_y(a, b)?,
            ssim_rgb: similarity(ssim_rgb(a, b))?,
            ssim_y: similarity(ssim_y(a, b))?,
            mae: mae(a, b)?,
        })
    }

    /// Means over those that are finite; where none is, what they are.
    fn mean(all: &[Self]) -> Option<Self> {
        let first = all.first()?;
        Some(Measures::each(|value| {
            let finite = || all.iter().map(value).filter(|value| value.is_finite());
            match finite().count() {
                0 => value(first),
                count => finite().sum::<f64>() / count as f64,
            }
        }))
    }

    fn finite(all: &[Self]) -> Measures<usize> {
        Measures::each(|value| all.iter().filter(|measures| value(measures).is_finite()).count())
    }

    fn cells(&self) -> Vec<String> {
        let ssim = |value: f64| if value.is_nan() { "-".to_owned() } else { format!("{value:.4}") };
        vec![
            format!("{:.3}", self.psnr_rgb),
            format!("{:.3}", self.psnr_y),
            ssim(self.ssim_rgb),
            ssim(self.ssim_y),
            format!("{:.5}", self.mae),
        ]
    }
}

fn rows(report: &Report) -> String {
    let head = ["picture", "PSNR RGB", "PSNR Y", "SSIM RGB", "SSIM Y", "MAE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for pair in &report.pictures {
        let mut row = vec![pair.a.display().to_string()];
        row.extend(pair.measures.map_or_else(|| vec!["failed".to_owned()], |m| m.cells()));
        rows.push(row);
    }
    if let (Some(mean), true) = (report.mean, report.pictures.len() > 1) {
        rows.push(
            [vec![format!("mean of {}", report.pictures.len() - report.failed)], mean.cells()]
                .concat(),
        );
    }
    table(&rows)
}

/// Two files, or the pictures of two folders whose names are equal, or equal up to the extension where only one picture of each folder
/// has that name; and what has no partner.
fn pairs(a: &Path, b: &Path) -> Result<Pairs, Failure> {
    if a.is_dir() != b.is_dir() {
        return Err(Failure::usage(format!(
            "{} and {}: compare two pictures, or two folders",
            a.display(),
            b.display()
        )));
    }
    if !a.is_dir() {
        return Ok(Pairs { found: vec![(a.to_owned(), b.to_owned())], alone: Vec::new() });
    }
    let (mut first, mut second) = (BTreeMap::new(), BTreeMap::new());
    collect(a, Path::new(""), &mut first)?;
    collect(b, Path::new(""), &mut second)?;
    // Before any is paired: a name that several have is one that none is meant by.
    let (stems, others) = (by_stem(&first), by_stem(&second));
    let mut found = BTreeMap::new();
    first.retain(|name, path| match second.remove(name) {
        Some(partner) => found.insert(name.clone(), (path.clone(), partner)).is_some(),
        None => true,
    });
    for (stem, names) in stems {
        let ([name], Some([partner])) = (&names[..], others.get(&stem).map(Vec::as_slice)) else {
            continue;
        };
        // Where the names are equal, they are paired already.
        if let (Some(path), Some(partner)) = (first.remove(name), second.remove(partner)) {
            found.insert(name.clone(), (path, partner));
        }
    }
    let pairs = Pairs {
        found: found.into_values().collect(),
        alone: first.into_values().chain(second.into_values()).collect(),
    };
    if pairs.found.is_empty() {
        return Err(Failure::new(
            code::INPUT,
            format!("{} and {} have no pictures of equal names", a.display(), b.display()),
        ));
    }
    Ok(pairs)
}

/// What is compared, and what is in one folder alone.
struct Pairs {
    found: Vec<(PathBuf, PathBuf)>,
    alone: Vec<PathBuf>,
}

/// The names without an extension, and those that they had with one.
fn by_stem(pictures: &BTreeMap<PathBuf, PathBuf>) -> HashMap<PathBuf, Vec<PathBuf>> {
    let mut stems: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
    for name in pictures.keys() {
        stems.entry(name.with_extension("")).or_default().push(name.clone());
    }
    stems
}

fn collect(
    root: &Path,
    below: &Path,
    found: &mut BTreeMap<PathBuf, PathBuf>,
) -> Result<(), Failure> {
    let folder = root.join(below);
    let failed = |error: std::io::Error| {
        Failure::new(code::INPUT, format!("the folder {} can't be read: {error}", folder.display()))
    };
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let below = below.join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_dir() {
            if !is_helper(&entry.path()) {
                collect(root, &below, found)?;
            }
        } else if is_picture_file(&entry.path()) {
            found.insert(below, entry.path());
        }
    }
    Ok(())
}
