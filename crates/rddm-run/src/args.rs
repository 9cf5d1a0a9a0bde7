//! The options of the command line.

mod diffusion;
mod serve;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use rddm_image::Format;
use rddm_manifest::{ModelId, Precision};
use rddm_runtime::Device;

use diffusion::Diffusion;
pub(crate) use serve::Serve;

/// Restores pictures with a model of the zoo.
///
/// Every INPUT is a picture (PNG, JPEG, WebP, TIFF, BMP), a folder of them, a list of them
/// (@FILE, one a line; @- from standard input), or - for standard input. Without --output, the
/// restored picture lies beside its input: photo.png becomes photo.MODEL.png.
#[derive(Debug, Parser)]
#[command(
    name = "rddm-run",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = EXIT_CODES,
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) restore: Restore,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 2 wrong options; 3 a picture that can't be read; 4 a model that is not on this \
machine; 5 a file that is not what it should be (nothing was run); 6 an address that can't be \
listened on; 7 a file that can't be written; \
8 an engine or device that is missing or failed; 9 some of several pictures failed; 130 \
interrupted; 1 anything else.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compares pictures or folders of pictures: PSNR, SSIM and MAE.
    Metrics(Metrics),
    /// Lists the engines of this build and the devices that each finds.
    Devices(Devices),
    /// Times a model on pictures of several sizes, engines in turn.
    Bench(Bench),
    /// Checks that each engine of this build computes what it should here.
    SelfTest(SelfTest),
    /// Serves a page and an HTTP API that restore pictures, to this machine alone.
    Serve(Serve),
    /// Prints the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page, or that of a command.
    Man {
        /// The command, such as bench.
        #[arg(value_name = "COMMAND")]
        of: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The model, by its name in the zoo.
    #[arg(long, required = true, value_name = "NAME")]
    pub(crate) model: Option<ModelId>,
    /// Pictures, folders, @lists, or -.
    #[arg(required_unless_present = "count", value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// A file, a folder (several inputs, or a name ending in /), or - for standard output.
    #[arg(short, long, value_name = "OUTPUT")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sampling: Sampling,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    #[command(flatten)]
    pub(crate) files: Files,
    #[command(flatten)]
    pub(crate) looks: Looks,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Restoration")]
pub(crate) struct Sampling {
    /// Sampling steps: more are slower, and mostly worse with the restorers of the zoo, whose cards say so. The model's own number
    /// unless given.
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Seed of the noise: the same seed gives the same picture.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Share of fresh noise in each step, 0 to 1. The model's own unless given.
    #[arg(long, value_name = "X")]
    pub(crate) eta: Option<f32>,
    /// How much of the restoration is applied: 0 nothing, 1 all of it, at most 4.
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) strength: f32,
    /// Takes the mean over the eight mirrored and turned forms of the picture, better and slower; over two for models of
    /// what has an up and a down, such as rain.
    #[arg(long, conflicts_with_all = ["max_memory", "preview"])]
    pub(crate) ensemble: bool,
    /// Asks the networks about mirror images too, and takes the mean: better, and twice as slow. As the model was published
    /// unless given.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub(crate) mirror: Option<bool>,
    /// Lets a change stand only where a look at the picture at half of its size sees it too: less is taken away by mistake, and
    /// less is found. As the model was published unless given.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    pub(crate) confirm: Option<bool>,
    /// A picture that marks what to restore (white), for models that take a mask; what is black or transparent is kept. One for all pictures, so of their size.
    #[arg(long, value_name = "FILE")]
    pub(crate) mask: Option<PathBuf>,
    /// Draws N pictures with a model that generates, beside each other in one; the seeds rise by one.
    #[arg(long, value_name = "N", conflicts_with_all = ["inputs", "mask", "strength", "ensemble", "recursive", "watch", "compare", "preview", "max_memory"], value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) count: Option<u32>,
    /// Size of the pictures that are drawn. The model's own unless given.
    #[arg(long, value_name = "SIZE", requires = "count", value_parser = size)]
    pub(crate) size: Option<(usize, usize)>,
    #[command(flatten)]
    pub(crate) diffusion: Diffusion,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineArgs {
    /// What runs the networks: tract, or ort (ONNX Runtime) in a build that has it.
    #[arg(long, value_name = "NAME", default_value = "tract")]
    pub(crate) engine: String,
    /// What they run on: cpu, auto, or a device that `rddm-run devices` lists.
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) library: Library,
    /// Tiles that are worked on at a time; 0 means one for each processor core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
    /// Height and width of a tile in pixels. The model's own unless given.
    #[arg(long, value_name = "N")]
    pub(crate) tile: Option<usize>,
    /// Pixels of context around a tile. Less than the model's own is faster, and seams may show.
    #[arg(long, value_name = "N")]
    pub(crate) overlap: Option<usize>,
    /// Most memory that the process takes, such as 300MB: tiles get smaller to keep it, and a PNG
    /// file that does not fit goes row by row into another one.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) max_memory: Option<u64>,
    /// Which of the model's networks run: fp32, fp16 or int8. The widest unless given.
    #[arg(long, value_name = "NAME")]
    pub(crate) precision: Option<Precision>,
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Library {
    /// The shared library of ONNX Runtime, for the engine ort; ORT_DYLIB_PATH unless given.
    #[arg(long = "ort-library", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl Library {
    /// The library that was named, by option or variable.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let variable = || std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
        self.path.clone().or_else(|| variable().map(PathBuf::from))
    }
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct Files {
    /// Format of the output: png, jpg, webp, tiff or bmp. By its name, else the input's.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Quality of JPEG, 1 to 100.
    #[arg(long, value_name = "N", default_value_t = 92, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) quality: u8,
    /// Takes folders with all folders in them; the tree is kept.
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Allows an output to replace its input.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Leaves inputs alone whose output exists, so that a batch goes on where it stopped.
    #[arg(long)]
    pub(crate) skip_existing: bool,
    /// Leaves EXIF, XMP and ICC out of the output, and writes no parameters into it.
    #[arg(long)]
    pub(crate) strip: bool,
    /// Goes on until it is interrupted, and restores the pictures that appear in the folders.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) watch: bool,
    /// Says what would be done, and does nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Looking")]
pub(crate) struct Looks {
    /// Also writes input and output side by side, as a picture or as a page with a slider.
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "picture")]
    pub(crate) compare: Option<Compare>,
    /// Also writes the picture after each step into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) preview: Option<PathBuf>,
}

/// What `--compare` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compare {
    /// photo.MODEL.compare.png
    Picture,
    /// photo.MODEL.compare.html, one file that needs nothing else
    Html,
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Models")]
pub(crate) struct RegistryArgs {
    /// A folder that holds index.toml, for models that were not pulled. RDDM_REGISTRY unless given,
    /// else the checkout's own.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) registry: Option<String>,
    /// The store of pulled models. RDDM_HOME unless given, else where the system keeps data.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) home: Option<PathBuf>,
    /// A public key, or its file, whose signature the registry's index must have, instead of the
    /// zoo's own.
    #[arg(long, value_name = "FILE|KEY")]
    pub(crate) key: Vec<String>,
    /// Takes a registry whose index nobody signed.
    #[arg(long, conflicts_with = "key")]
    pub(crate) allow_unsigned: bool,
}

impl RegistryArgs {
    /// Says the same to another run of the command.
    pub(crate) fn repeat(&self, command: &mut std::process::Command) {
        if let Some(registry) = &self.registry {
            command.arg("--registry").arg(registry);
        }
        if let Some(home) = &self.home {
            command.arg("--home").arg(home);
        }
        for key in &self.key {
            command.arg("--key").arg(key);
        }
        if self.allow_unsigned {
            command.arg("--allow-unsigned");
        }
    }
}

#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Printing")]
pub(crate) struct Printing {
    /// Prints a report as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Prints nothing but errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Metrics {
    /// A picture, or a folder of them.
    pub(crate) a: PathBuf,
    /// The picture to compare it with, or a folder whose pictures have the same names.
    pub(crate) b: PathBuf,
    /// Compares the top left part that both have, where sizes differ.
    #[arg(long)]
    pub(crate) crop: bool,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Devices {
    #[command(flatten)]
    pub(crate) library: Library,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// The model, by its name in the zoo.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: ModelId,
    /// Sizes of the pictures, WIDTHxHEIGHT.
    #[arg(long, value_name = "SIZE", value_delimiter = ',', default_value = "128x128,256x256,512x512", value_parser = size)]
    pub(crate) size: Vec<(usize, usize)>,
    /// Engines to compare, run in turn.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "tract")]
    pub(crate) engine: Vec<String>,
    /// Tile sizes to compare. The model's own unless given; 0 takes the picture as a whole.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) tile: Vec<usize>,
    /// Overlaps to compare: pixels of context around a tile. The model's own unless given.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) overlap: Vec<usize>,
    /// Pictures to restore instead of made ones; with --tile or --overlap, how far tiles are from the
    /// whole picture is told, too.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["size", "network"])]
    pub(crate) picture: Vec<PathBuf>,
    /// Times one pass of the first network over the whole picture instead of a restoration.
    #[arg(long, conflicts_with_all = ["tile", "overlap", "steps"])]
    pub(crate) network: bool,
    /// Sampling steps.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) steps: usize,
    /// Asks the networks about mirror images too, or not. As the model was published unless given.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), hide_possible_values = true, conflicts_with_all = ["network", "files"])]
    pub(crate) mirror: Option<bool>,
    /// Asks them about the picture at half of its size too, or not. As the model was published unless given.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), hide_possible_values = true, conflicts_with_all = ["network", "files"])]
    pub(crate) confirm: Option<bool>,
    /// Tiles that are worked on at a time; 0 means one for each processor core.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Rounds; the median counts. 5 unless given, 1 with --files.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,
    /// Times the command itself on PNG files of so many megapixels instead, each in a process of its
    /// own: its memory, and what is spent outside the networks.
    #[arg(long, value_name = "MP", value_delimiter = ',', conflicts_with_all = ["size", "picture", "network", "steps"], value_parser = megapixels)]
    pub(crate) files: Vec<f64>,
    /// With --files: most memory that each process takes; 300 MB unless given.
    #[arg(long, value_name = "SIZE", value_parser = bytes, conflicts_with_all = ["size", "picture", "network"])]
    pub(crate) max_memory: Option<u64>,
    /// What the networks run on.
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) library: Library,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SelfTest {
    /// Checks a model of the zoo, too.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<ModelId>,
    /// What the networks run on.
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) library: Library,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

impl Args {
    fn printing(&self) -> Printing {
        match &self.command {
            None => self.restore.printing,
            Some(Command::Metrics(metrics)) => metrics.printing,
            Some(Command::Devices(devices)) => devices.printing,
            Some(Command::Bench(bench)) => bench.printing,
            Some(Command::SelfTest(test)) => test.printing,
            Some(Command::Serve(serve)) => serve.printing,
            Some(Command::Completions { .. } | Command::Man { .. }) => {
                Printing { json: false, quiet: false }
            }
        }
    }

    pub(crate) fn quiet(&self) -> bool {
        self.printing().quiet
    }

    pub(crate) fn json(&self) -> bool {
        self.printing().json
    }
}

/// A number of bytes: plain, or with kB, MB, GB (powers of 1000) or KiB, MiB, GiB (of 1024).
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        other => return Err(format!("{other:?} is no unit: take kB, MB, GB, KiB, MiB or GiB")),
    };
    let number: f64 = digits.trim().parse().map_err(|_| "write a size such as 300MB".to_owned())?;
    let size = number * unit as f64;
    if !(1.0..=1e18).contains(&size) {
        return Err("write a size such as 300MB".to_owned());
    }
    Ok(size as u64)
}

fn megapixels(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.01..=1000.0).contains(number));
    number.ok_or_else(|| "write a number of megapixels from 0.01 to 1000".to_owned())
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides
        .filter(|&(width, height)| (1..=65_536).contains(&width) && (1..=65_536).contains(&height))
        .ok_or_else(|| "write a size as WIDTHxHEIGHT, such as 512x512".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("300MB"), Ok(300_000_000));
        assert_eq!(bytes("1.5 GiB"), Ok(3 << 29));
        assert_eq!(bytes("4096"), Ok(4096));
        for wrong in ["", "MB", "3XB", "-1MB", "nan", "1e40GB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size("640x480"), Ok((640, 480)));
        assert!(size("0x4").is_err() && size("640").is_err());
    }
}
