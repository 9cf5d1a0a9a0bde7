//! `rddm-run --model NAME INPUT…`

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::batch::{Batch, Done};
use super::budget;
use crate::args::Restore;
use crate::failure::{Failure, code};
use crate::inputs::{Job, Plan, STREAM};
use crate::report::{self, Status};
use crate::terminal::Terminal;
use crate::{interrupt, model, process};

pub(crate) fn run(args: Restore, terminal: &mut Terminal) -> Result<u8, Failure> {
    let begun = Instant::now();
    let Some(id) = &args.model else {
        return Err(Failure::usage("no model was named: add --model NAME"));
    };
    if let Some(count) = args.sampling.count {
        return super::generate::run(&args, id, count as usize, terminal);
    }
    let plan = Plan {
        inputs: &args.inputs,
        output: args.output.as_deref(),
        word: id.as_str(),
        format: args.files.format,
        recursive: args.files.recursive,
        overwrite: args.files.overwrite,
        may_be_empty: args.files.watch,
    };
    let jobs = plan.jobs()?;
    check(&args, &jobs, terminal)?;
    let model = model::find(id, &args.registry, args.engine.precision)?;
    let mask = match (model.manifest.picture.mask, args.sampling.mask.is_some()) {
        (true, false) => Some(
            "needs a mask: give --mask FILE, a picture of the same size that is white where it is to be restored",
        ),
        (false, true) => Some("takes no mask: leave --mask out, or take a model that has one"),
        _ => None,
    };
    if let Some(problem) = mask {
        return Err(Failure::usage(format!("{id} {problem}")));
    }
    let cancel = interrupt::token()?;
    let mut restorer =
        model::restorer(&model, &args.engine, &args.sampling, cancel.clone(), terminal)?;
    let mut batch = Batch {
        args: &args,
        model: &model,
        restorer: &mut restorer,
        process: budget::of_process(&model),
        cancel: &cancel,
        terminal,
    };
    let mut done = batch.all(&jobs);
    if args.files.watch && !done.interrupted {
        watch(&mut batch, &plan, jobs, &mut done)?;
    }
    let code = done.exit_code();
    let several = done.pictures.len() > 1;
    let interrupted = done.interrupted;
    let report = summary(&batch, done, begun);
    if several {
        terminal.note(&format!(
            "{} written, {} skipped, {} failed, in {:.1} s",
            report.written, report.skipped, report.failed, report.seconds
        ));
    }
    terminal.report(&report)?;
    if interrupted {
        terminal.failed(&Failure::interrupted());
    }
    Ok(code)
}

fn check(args: &Restore, jobs: &[Job], terminal: &Terminal) -> Result<(), Failure> {
    let stream = Path::new(STREAM);
    if terminal.json() && jobs.iter().any(|job| job.output == stream) {
        return Err(Failure::usage(
            "picture and report can't both go to standard output: name a file with --output",
        ));
    }
    if args.files.watch && jobs.iter().any(|job| job.input == stream) {
        return Err(Failure::usage("standard input can't be watched: name a folder"));
    }
    Ok(())
}

/// Restores what appears in the inputs, until it is interrupted. A picture has its turn once it
/// has not changed from one look to the next, and again when it changed later.
fn watch(
    batch: &mut Batch<'_>,
    plan: &Plan<'_>,
    first: Vec<Job>,
    done: &mut Done,
) -> Result<(), Failure> {
    const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
    let mut restored: HashMap<PathBuf, Option<State>> =
        first.into_iter().map(|job| (job.input.clone(), state(&job.input))).collect();
    let mut seen = restored.clone();
    batch.terminal.note("watching; interrupt to end");
    while !batch.cancel.is_cancelled() {
        std::thread::sleep(BETWEEN_LOOKS);
        let jobs = plan.jobs()?;
        let now: HashMap<PathBuf, Option<State>> =
            jobs.iter().map(|job| (job.input.clone(), state(&job.input))).collect();
        let settled = jobs.into_iter().filter(|job| {
            let current = now.get(&job.input);
            current == seen.get(&job.input) && current != restored.get(&job.input)
        });
        let settled: Vec<Job> = settled.collect();
        for job in &settled {
            restored.insert(job.input.clone(), now.get(&job.input).copied().flatten());
        }
        if !settled.is_empty() {
            done.add(batch.all(&settled));
        }
        seen = now;
    }
    done.interrupted = true;
    Ok(())
}

/// What changes when a file is written to: its length and time.
type State = (u64, Option<SystemTime>);

fn state(path: &Path) -> Option<State> {
    let data = path.metadata().ok()?;
    Some((data.len(), data.modified().ok()))
}

impl Done {
    fn exit_code(&self) -> u8 {
        match self.codes().find(|&code| code != 0) {
            _ if self.interrupted => code::INTERRUPTED,
            None => 0,
            Some(code) if self.pictures.len() == 1 => code,
            Some(_) => code::SOME_FAILED,
        }
    }
}

fn summary(batch: &Batch<'_>, done: Done, begun: Instant) -> report::Restored {
    let (model, restorer) = (batch.model, &*batch.restorer);
    let pictures = done.pictures;
    let count = |status| pictures.iter().filter(|picture| picture.status == status).count();
    report::Restored {
        schema: 1,
        model: report::Model::of(model),
        engine: report::Engine::of(restorer),
        sampler: report::Sampler::of(restorer, &batch.args.sampling),
        written: count(Status::Written),
        skipped: count(Status::Skipped),
        failed: count(Status::Failed),
        interrupted: done.interrupted,
        seconds: begun.elapsed().as_secs_f64(),
        processor_seconds: process::processor_seconds(),
        peak_bytes: process::peak(),
        pictures,
    }
}
