use std::{num::NonZero, path::PathBuf};

use rddm_core::{Method, Objective, Sampler, SamplerSpec, Schedule, ScheduleSpec};
use rddm_manifest::{Manifest, Precision, Version};

use crate::{
    CancelToken, Device, EngineOptions, Error, ErrorKind, Restorer, engine,
    layout::Rules,
    networks::{self, Wiring},
    restorer::Parts,
};

/// Options of a [`Restorer`]. What is not set is as the manifest says, which is how the model was
/// measured.
#[derive(Debug, Clone)]
pub struct RestorerBuilder<'a> {
    manifest: &'a Manifest,
    engine: String,
    engine_options: EngineOptions,
    precision: Option<Precision>,
    steps: Option<usize>,
    eta: Option<f32>,
    objective: Option<Objective>,
    method: Option<Method>,
    mirror: Option<bool>,
    confirm: Option<bool>,
    schedule: Option<ScheduleSpec>,
    seed: u64,
    strength: f32,
    threads: usize,
    tile: Option<usize>,
    overlap: Option<usize>,
    max_memory: Option<u64>,
    cancel: CancelToken,
}

impl<'a> RestorerBuilder<'a> {
    pub(crate) fn new(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            engine: "tract".to_owned(),
            engine_options: EngineOptions::default(),
            precision: None,
            steps: None,
            eta: None,
            objective: None,
            method: None,
            mirror: None,
            confirm: None,
            schedule: None,
            seed: 0,
            strength: 1.0,
            threads: 1,
            tile: None,
            overlap: None,
            max_memory: None,
            cancel: CancelToken::default(),
        }
    }

    /// The engine by its name, `tract` unless set; see [`engines`](crate::engines).
    #[must_use]
    pub fn engine(mut self, name: impl Into<String>) -> Self {
        self.engine = name.into();
        self
    }

    /// The device, the processor unless set. A device that is not there is an error;
    /// [`Device::Auto`] takes what is there, and [`Restorer::device`] says what it took.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.engine_options.device = device;
        self
    }

    /// The shared library of an engine that is loaded at run time; see [`EngineOptions::library`].
    #[must_use]
    pub fn library(mut self, path: impl Into<PathBuf>) -> Self {
        self.engine_options.library = Some(path.into());
        self
    }

    /// Which of the model's networks run, by their precision; unless set, the widest whose files are given.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = Some(precision);
        self
    }

    /// The number of sampling steps, 1 to the schedule's time steps.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = Some(steps);
        self
    }

    /// The share of fresh noise in each step, 0 to 1.
    #[must_use]
    pub fn eta(mut self, eta: f32) -> Self {
        self.eta = Some(eta);
        self
    }

    /// What of the networks' outputs the sampler goes by. Networks that predict residual and noise
    /// serve `pred_res` and `pred_noise` too. By the noise alone, the first step divides a small
    /// difference by 1e-6 (as the paper does), and with it an engine's rounding: where it is the only
    /// step, engines may be dozens of levels apart.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = Some(objective);
        self
    }

    /// The way back from the degraded picture.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Whether the networks are asked about each window's mirror image at half of its size too, and a residual counts where that look from afar
    /// has at least a quarter of it, and in part where it has less: a quarter more time, and less that is taken away by mistake.
    ///
    /// Only for objective `pred_res`; [`build`](Self::build) refuses it for others.
    #[must_use]
    pub fn confirm(mut self, confirm: bool) -> Self {
        self.confirm = Some(confirm);
        self
    }

    /// Whether the networks are asked about each window's mirror image too, left and right exchanged, and the mean of both answers
    /// counts ([`MirrorMean`](rddm_manifest::MirrorMean)): better, and twice the time.
    #[must_use]
    pub fn mirror(mut self, mirror: bool) -> Self {
        self.mirror = Some(mirror);
        self
    }

    /// Another schedule than the one the networks were trained with (re-adjustment): they are told
    /// the times of their own schedule that fit best.
    #[must_use]
    pub fn schedule(mut self, schedule: ScheduleSpec) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// The seed of the noise field, 0 unless set. The same seed gives the same picture, whatever
    /// the threads and the machine, and whatever the tiles where their overlap covers what the
    /// networks see.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How much of the restoration is applied, 0 to 1 and beyond: `in + strength·(restored - in)`,
    /// cut to the range of a picture. 1 unless set, at most 4.
    #[must_use]
    pub fn strength(mut self, strength: f32) -> Self {
        self.strength = strength;
        self
    }

    /// Threads that run tiles, each with its own memory for a network at work; 1 unless set, and 0
    /// means one for each processor core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Height and width of a tile's core in pixels, rounded up to what the networks take. A picture
    /// that fits into one tile with its overlap is run in one pass, and one that is drawn always is
    /// unless this or [`max_memory`](Self::max_memory) is set.
    #[must_use]
    pub fn tile(mut self, tile: usize) -> Self {
        self.tile = Some(tile);
        self
    }

    /// Context around a tile's core in pixels. Less than the manifest says is faster, and makes
    /// pixels near the tiles' borders differ from those of the whole picture.
    #[must_use]
    pub fn overlap(mut self, overlap: usize) -> Self {
        self.overlap = Some(overlap);
        self
    }

    /// The most bytes that the restorer may work with at its peak, as
    /// [`Restorer::memory_estimate`] counts them, pictures and whole results not among them. Tiles are made smaller until it is kept;
    /// one that was set by [`tile`](Self::tile) stays.
    #[must_use]
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = Some(bytes);
        self.engine_options.lean = true;
        self
    }

    /// A token that stops the restorer from elsewhere, for good: for one picture of several, give each a restorer of its own
    /// ([`share`](Self::share)) with its own token.
    #[must_use]
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = token;
        self
    }

    /// Verifies the networks' bytes against the manifest, and makes them ready to run.
    ///
    /// `networks` are the files of the model, in any order; those of another precision or another
    /// role than needed may be among them, or not.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] if a file is none that the manifest names: nothing was parsed then.
    /// [`ErrorKind::Options`] for options that the model cannot serve and for a model that needs a
    /// newer version of this crate, [`ErrorKind::Engine`] and [`ErrorKind::Device`] for what is not
    /// there, [`ErrorKind::Network`] for a network that is not what the manifest says.
    pub fn build<B: AsRef<[u8]>>(
        self,
        networks: impl IntoIterator<Item = B>,
    ) -> Result<Restorer, Error> {
        let files: Vec<B> = networks.into_iter().collect();
        let engine = engine(&self.engine)?;
        self.check_runtime()?;
        self.check_precision()?;
        let (spec, sampler) = self.sampler()?;
        let rules = self.rules(&sampler)?;
        let threads = self.chosen_threads()?;
        self.check_strength()?;
        let (crew, wiring) = networks::load(
            self.manifest,
            self.precision,
            spec.objective,
            rules.window_planes,
            &files,
            engine,
            &self.engine_options,
        )?;
        Restorer::assemble(self.parts(engine.name(), (spec, sampler), rules, threads, wiring), crew)
    }

    /// Makes a restorer that shares what `loaded` holds: its networks, which are not hashed and
    /// loaded again, its engine, device, precision and threads, whatever was set of these here. All
    /// else is this builder's; [`max_memory`](Self::max_memory) as by [`Restorer::set_max_memory`]. It
    /// takes microseconds, so a server can make one for each picture.
    ///
    /// # Errors
    /// [`ErrorKind::Options`] if `loaded` runs another model or for another objective, and for
    /// options that the model cannot serve.
    pub fn share(self, loaded: &Restorer) -> Result<Restorer, Error> {
        let (spec, sampler) = self.sampler()?;
        let rules = self.rules(&sampler)?;
        self.check_strength()?;
        let own = loaded.parts();
        let same = own.id == self.manifest.id
            && own.networks == self.manifest.networks
            && own.picture == self.manifest.picture
            && own.spec.objective == spec.objective
            && own.rules.window_planes == rules.window_planes;
        if !same {
            return Err(options(format!(
                "the networks were loaded for {} and {}, and can't be shared with {} and {}",
                own.id, own.spec.objective, self.manifest.id, spec.objective
            )));
        }
        let (engine, threads, wiring) = (own.engine, own.threads, own.wiring.clone());
        let parts = self.parts(engine, (spec, sampler), rules, threads, wiring);
        Ok(Restorer::sharing(parts, loaded))
    }

    fn parts(
        self,
        engine: &'static str,
        (spec, sampler): (SamplerSpec, Sampler),
        rules: Rules,
        threads: usize,
        wiring: Wiring,
    ) -> Parts {
        Parts {
            id: self.manifest.id.clone(),
            networks: self.manifest.networks.clone(),
            picture: self.manifest.picture.clone(),
            engine,
            spec,
            sampler,
            rules,
            tile: self.tile.unwrap_or(self.manifest.picture.tile as usize),
            tile_given: self.tile.is_some(),
            max_memory: self.max_memory,
            seed: self.seed,
            strength: self.strength,
            threads,
            cancel: self.cancel,
            wiring,
        }
    }

    fn check_strength(&self) -> Result<(), Error> {
        if (0.0..=4.0).contains(&self.strength) {
            return Ok(());
        }
        Err(options(format!("a strength is from 0 to 4, not {}", self.strength)))
    }

    fn check_runtime(&self) -> Result<(), Error> {
        const OWN: &str = env!("CARGO_PKG_VERSION");
        let Manifest { id, version, least_runtime, .. } = self.manifest;
        // A version of another form counts as older than any.
        if OWN.parse().is_ok_and(|own: Version| *least_runtime <= own) {
            return Ok(());
        }
        Err(options(format!(
            "{id} {version} needs rddm {least_runtime} or newer, and this is {OWN}; take a newer version"
        )))
    }

    fn check_precision(&self) -> Result<(), Error> {
        let known = self.manifest.precisions();
        match self.precision {
            Some(asked) if !known.contains(&asked) => {
                let names = known.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(", ");
                let id = &self.manifest.id;
                Err(options(format!("{id} has no networks of precision {asked}, only {names}")))
            }
            _ => Ok(()),
        }
    }

    fn sampler(&self) -> Result<(SamplerSpec, Sampler), Error> {
        let own = sampler_of(self.manifest)?;
        let spec = SamplerSpec {
            schedule: self.schedule.unwrap_or(own.schedule),
            objective: self.objective.unwrap_or(own.objective),
            steps: self.steps.unwrap_or(own.steps),
            eta: self.eta.unwrap_or(own.eta),
            method: self.method.unwrap_or(own.method),
            ..own
        };
        let sampler = match self.schedule {
            None => Sampler::new(spec)?,
            Some(walked) => {
                Sampler::readjusted(spec, &Schedule::new(&walked)?, &Schedule::new(&own.schedule)?)?
            }
        };
        Ok((spec, sampler))
    }

    fn rules(&self, sampler: &Sampler) -> Result<Rules, Error> {
        const WIDEST: usize = 1 << 20;
        let picture = &self.manifest.picture;
        let tile = self.tile.unwrap_or(picture.tile as usize);
        let overlap = self.overlap.unwrap_or(picture.overlap as usize);
        if !(1..=WIDEST).contains(&tile) || overlap > WIDEST {
            let what = format!("a tile is 1 to {WIDEST} pixels wide, its overlap at most as much");
            return Err(options(what));
        }
        let channels = picture.channels as usize;
        let mask = usize::from(picture.mask);
        let input_planes = if sampler.conditional() { channels + mask } else { 0 };
        let told = &self.manifest.sampler;
        let mirror = self.mirror.unwrap_or(told.mirror);
        let confirm = self.confirm.unwrap_or(told.confirm);
        if confirm && sampler.objective() != Objective::PredRes {
            let what = format!(
                "a look from afar confirms residuals alone, objective pred_res, not {}; leave `confirm` off",
                sampler.objective()
            );
            return Err(options(what));
        }
        Ok(Rules {
            multiple: picture.multiple as usize,
            overlap,
            steps: sampler.steps().len(),
            channels,
            input_planes,
            window_planes: channels + input_planes,
            mirror: mirror.then_some(told.mirror_mean),
            confirm,
        })
    }

    fn chosen_threads(&self) -> Result<usize, Error> {
        const MOST: usize = 1024;
        match self.threads {
            0 => Ok(std::thread::available_parallelism().map_or(1, NonZero::get)),
            threads if threads <= MOST => Ok(threads),
            threads => Err(options(format!("there can be {MOST} threads, not {threads}"))),
        }
    }
}

fn options(what: String) -> Error {
    Error::new(ErrorKind::Options, what)
}

/// The sampler that a manifest describes, as a [`RestorerBuilder`] takes it unless told otherwise.
///
/// # Errors
/// [`ErrorKind::Options`] for a name that this version does not know.
pub fn sampler_of(manifest: &Manifest) -> Result<SamplerSpec, Error> {
    let sampler = &manifest.sampler;
    let coefficients = |of: rddm_manifest::Coefficients| -> Result<_, Error> {
        Ok(rddm_core::Coefficients { shape: of.shape.as_str().parse()?, ratio: of.ratio })
    };
    Ok(SamplerSpec {
        schedule: ScheduleSpec {
            timesteps: sampler.timesteps as usize,
            alpha: coefficients(sampler.alpha)?,
            beta2: coefficients(sampler.beta2)?,
            sum_scale: sampler.sum_scale,
        },
        objective: sampler.objective.as_str().parse()?,
        steps: sampler.steps as usize,
        eta: sampler.eta,
        time_encoding: sampler.time_encoding.as_str().parse()?,
        conditional: sampler.conditional,
        method: sampler.method.as_str().parse()?,
        residual_limit: sampler.residual_limit,
    })
}
