//! Writes trained networks as ONNX files.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rddm_export::{Error, half, official, run, write};
use rddm_manifest::{License, ModelId, Objective, TimeEncoding};
use rddm_networks::checkpoint::Weights;

/// Writes trained networks as ONNX files.
#[derive(Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 2 wrong options; 3 a file that can't be read or is not what it should be; 7 a file that can't be \
written; 1 a network that can't be exported, or anything else.";

#[derive(Subcommand)]
enum Command {
    /// The averaged weights of a training run, or a published model's anew, as <id>.onnx
    Run(RunArgs),
    /// A network that this program wrote, with its weights in 16 bits: half of the file
    Half(HalfArgs),
    /// A checkpoint of the official Python code, as <id>.onnx (or one for each network) with a model.toml
    Official(OfficialArgs),
}

#[derive(Args)]
struct RunArgs {
    /// The run's folder, with recipe.toml and weights.safetensors, or a published model's, with recipe.toml and <id>.onnx; of
    /// several, the mean of their weights
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The folder to write to
    #[arg(short, long)]
    out: PathBuf,
    /// The licence of the weights, an SPDX expression
    #[arg(long, default_value = "MIT OR Apache-2.0")]
    license: License,
}

#[derive(Args)]
struct HalfArgs {
    /// The ONNX file
    network: PathBuf,
    /// The folder to write to, under the same name; another one than the file's
    #[arg(short, long)]
    out: PathBuf,
}

#[derive(Args)]
struct OfficialArgs {
    /// The checkpoint: .pt as the official trainer saves it, a bare state dict, or safetensors
    checkpoint: PathBuf,
    /// The folder to write to
    #[arg(short, long)]
    out: PathBuf,
    /// The model's id; without it, the checkpoint's file name
    #[arg(long)]
    id: Option<ModelId>,
    /// What the model does
    #[arg(long, default_value = "restore")]
    task: ModelId,
    /// The licence of the weights, an SPDX expression
    #[arg(long, default_value = "NOASSERTION")]
    license: License,
    /// Which weights of the trainer's file to take
    #[arg(long, value_enum, default_value_t = WeightsArg::Average)]
    weights: WeightsArg,
    /// What the networks predict (pred_res_noise, pred_res, pred_noise, pred_x0_noise…)
    #[arg(long, value_parser = objective)]
    objective: Option<Objective>,
    /// Let the networks see the sums ᾱ·T and β̄·T in place of the time's index
    #[arg(long)]
    two_times: bool,
    /// Sampling steps by default
    #[arg(long, default_value_t = 5)]
    steps: u32,
    /// What β² sums to; without it, what the checkpoint's tables say
    #[arg(long)]
    sum_scale: Option<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum WeightsArg {
    /// The averaged ones, which the official code samples with
    Average,
    /// The ones that were trained last
    Model,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let written = match &cli.command {
        Command::Run(args) => export_run(args),
        Command::Half(args) => export_half(args),
        Command::Official(args) => export_official(args),
    };
    match written {
        Ok(paths) => report(&paths),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn export_run(args: &RunArgs) -> Result<Vec<PathBuf>, Error> {
    let exported = run::export(&args.runs, &args.license)?;
    let path = write(&args.out, &format!("{}.onnx", exported.id.as_str()), &exported.file)?;
    Ok(vec![path])
}

fn export_half(args: &HalfArgs) -> Result<Vec<PathBuf>, Error> {
    let (name, file) = half::export(&args.network, &args.out)?;
    Ok(vec![write(&args.out, &name, &file)?])
}

fn export_official(args: &OfficialArgs) -> Result<Vec<PathBuf>, Error> {
    let id = match &args.id {
        Some(id) => id.clone(),
        None => id_of(&args.checkpoint)?,
    };
    let options = official::Options {
        id,
        task: args.task.clone(),
        license: args.license.clone(),
        weights: match args.weights {
            WeightsArg::Average => Weights::Average,
            WeightsArg::Model => Weights::Model,
        },
        objective: args.objective,
        time_encoding: if args.two_times {
            TimeEncoding::AlphaBarBetaBar
        } else {
            TimeEncoding::Index
        },
        steps: args.steps,
        sum_scale: args.sum_scale,
    };
    let exported = official::export(&args.checkpoint, &options)?;
    let mut paths = Vec::new();
    for (name, file) in &exported.files {
        paths.push(write(&args.out, name, file)?);
    }
    paths.push(write(&args.out, "model.toml", exported.draft.to_toml()?.as_bytes())?);
    Ok(paths)
}

/// The file's name in the form that ids have.
fn id_of(checkpoint: &Path) -> Result<ModelId, Error> {
    let stem = checkpoint
        .file_stem()
        .map(|stem| stem.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    Ok(stem.replace(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c), "-").parse()?)
}

fn objective(text: &str) -> Result<Objective, String> {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        objective: Objective,
    }
    toml::from_str::<Wrapped>(&format!("objective = {text:?}"))
        .map(|wrapped| wrapped.objective)
        .map_err(|error| error.message().to_owned())
}

/// Prints what was written.
fn report(paths: &[PathBuf]) -> ExitCode {
    let mut out = io::stdout().lock();
    match paths.iter().try_for_each(|path| writeln!(out, "{}", path.display())) {
        // A reader that is gone has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("can't write to standard output: {error}"));
            ExitCode::from(7)
        }
        _ => ExitCode::SUCCESS,
    }
}

fn complain(error: &str) {
    // Nobody is there to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "error: {error}");
}
