//! `rddm-run --model NAME INPUT…`

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::batch::{self, Batch, Done};
use super::{budget, deliver};
use crate::args::Restore;
use crate::failure::{Failure, code};
use crate::inputs::{Job, Places, Plan, STREAM, identity, list};
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
    let comparison = (args.looks.compare)
        .map(|kind| move |job: &Job| deliver::comparison(job, id.as_str(), kind));
    let steps = args.looks.preview.as_deref();
    let steps = steps.map(|folder| move |job: &Job| batch::steps(folder, job));
    let folders = [args.output.as_deref(), args.looks.preview.as_deref()];
    let mut plan = Plan {
        inputs: &args.inputs,
        output: args.output.as_deref(),
        word: id.as_str(),
        format: args.files.format,
        recursive: args.files.recursive,
        overwrite: args.files.overwrite,
        skip_existing: args.files.skip_existing,
        // Where they can't be told, the model that was named isn't found either, which says why.
        models: model::names(&args.registry).unwrap_or_default(),
        beside: beside(&args),
        comparison: comparison.as_ref().map(|place| place as Places<'_>),
        steps: steps.as_ref().map(|place| place as Places<'_>),
        not_into: folders.into_iter().flatten().collect(),
        written: HashSet::new(),
        may_be_empty: args.files.watch,
    };
    let (jobs, notes) = plan.jobs()?;
    notes.iter().for_each(|note| terminal.note(note));
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
    let process = budget::of_process(&model);
    let mask = batch::mask_of(&args, process)?;
    let mut batch = Batch {
        args: &args,
        model: &model,
        restorer: &mut restorer,
        process: process
            + mask.as_ref().map_or(0, |mask| mask.len() as u64 * size_of::<f32>() as u64),
        mask,
        cancel: &cancel,
        terminal,
    };
    let mut restored = States::default();
    restored.before(&jobs);
    let mut done = batch.all(&jobs);
    restored.after(&jobs);
    if args.files.watch && !done.interrupted {
        watch(&mut batch, &mut plan, restored, &mut done);
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

/// What is read and is no picture to restore.
fn beside(args: &Restore) -> Vec<(&'static str, &Path)> {
    let mask = args.sampling.mask.iter().map(|mask| ("mask", mask.as_path()));
    let lists = args.inputs.iter().filter_map(|input| list(input));
    mask.chain(lists.map(|list| ("list of pictures", list))).collect()
}

fn check(args: &Restore, jobs: &[Job], terminal: &Terminal) -> Result<(), Failure> {
    let stream = Path::new(STREAM);
    deliver::check_stream(terminal, jobs.iter().any(|job| job.output == stream))?;
    let lists = args.inputs.iter().filter_map(|input| list(input));
    if args.files.watch
        && lists.chain(jobs.iter().map(|job| &*job.input)).any(|read| read == stream)
    {
        return Err(Failure::usage("standard input can't be watched: name a folder"));
    }
    Ok(())
}

/// Restores what appears in the inputs, until it is interrupted. A picture has its turn once it
/// has not changed from one look to the next, and again when it changed later.
fn watch(batch: &mut Batch<'_>, plan: &mut Plan<'_>, mut restored: States, done: &mut Done) {
    const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
    plan.leave_out(&done.pictures);
    let mut seen = restored.clone();
    let mut trouble = String::new();
    batch.terminal.note("watching; interrupt to end");
    while !batch.cancel.is_cancelled() {
        std::thread::sleep(BETWEEN_LOOKS);
        let jobs = match plan.jobs() {
            Ok((jobs, _)) => jobs,
            Err(failure) => {
                // Such as two pictures of one name: said once, and gone on with when it is mended.
                if trouble != failure.what {
                    batch.terminal.failed(&failure);
                    trouble.clone_from(&failure.what);
                }
                continue;
            }
        };
        trouble.clear();
        let mut now = States::default();
        now.before(&jobs);
        let settled = jobs.into_iter().filter(|job| {
            let current = now.0.get(&job.input);
            current == seen.0.get(&job.input) && current != restored.0.get(&job.input)
        });
        let settled: Vec<Job> = settled.collect();
        if !settled.is_empty() {
            restored.before(&settled);
            let more = batch.all(&settled);
            restored.after(&settled);
            plan.leave_out(&more.pictures);
            done.add(more);
        }
        seen = now;
    }
    done.interrupted = true;
}

impl Plan<'_> {
    /// What was written is no input, unless it was written over its own.
    fn leave_out(&mut self, done: &[report::Picture]) {
        for picture in done {
            let output =
                Some(&picture.output).filter(|output| identity(output) != identity(&picture.input));
            self.written.extend(output.into_iter().chain(&picture.also).map(|path| identity(path)));
        }
    }
}

/// The state of each input when it was restored.
#[derive(Clone, Default)]
struct States(HashMap<PathBuf, Option<State>>);

impl States {
    /// As they are before they are read, so that what changes meanwhile has its turn again.
    fn before(&mut self, jobs: &[Job]) {
        self.0.extend(jobs.iter().map(|job| (job.input.clone(), state(&job.input))));
    }

    /// What was written over its input is no change of it.
    fn after(&mut self, jobs: &[Job]) {
        for job in jobs.iter().filter(|job| identity(&job.input) == identity(&job.output)) {
            self.0.insert(job.input.clone(), state(&job.input));
        }
    }
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
