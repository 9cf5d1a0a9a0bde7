use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ndarray::{Array3, ArrayView2, ArrayView3};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rddm_core::{NoiseField, Sampler, SamplerSpec};
use rddm_manifest::{Manifest, ModelId, Network, Picture};

use crate::{
    CancelToken, Control, Error, ErrorKind, MemoryEstimate, Progress, RestorerBuilder, RowSink,
    RowSource, StepView,
    crews::Crews,
    layout::{Layout, Rules},
    memory::{self, Cost},
    networks::{Crew, Wiring},
    run::{Job, Run},
    tiling::Axis,
};

/// The callback that gets a [`Progress`] after each tile.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> Control;

/// The callback that gets a [`StepView`] after each step.
pub type OnStep<'a> = &'a mut dyn FnMut(StepView<'_>) -> Control;

/// A model that is ready to restore pictures.
///
/// It can be shared between threads; their tiles share its threads' networks.
///
/// ```no_run
/// use ndarray::Array3;
/// use rddm_manifest::Manifest;
/// use rddm_runtime::{Control, Restorer};
///
/// let manifest = Manifest::parse(&std::fs::read_to_string("manifests/derain.toml")?)?;
/// let network = std::fs::read("zoo/derain/derain.onnx")?;
/// let restorer = Restorer::builder(&manifest).threads(2).seed(7).build([network])?;
///
/// let rainy = Array3::<f32>::zeros((3, 480, 640));
/// let clean = restorer.restore(rainy.view(), None, &mut |progress| {
///     eprint!("\r{:3.0} %", progress.fraction() * 100.0);
///     Control::Continue
/// })?;
/// assert_eq!(clean.dim(), rainy.dim());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Restorer {
    parts: Parts,
    device: String,
    pool: Option<Arc<ThreadPool>>,
    crews: Arc<Crews>,
    cost: Arc<OnceLock<Cost>>,
}

/// What a builder gives.
pub(crate) struct Parts {
    pub(crate) id: ModelId,
    pub(crate) networks: Vec<Network>,
    pub(crate) picture: Picture,
    pub(crate) engine: &'static str,
    pub(crate) spec: SamplerSpec,
    pub(crate) sampler: Sampler,
    pub(crate) rules: Rules,
    pub(crate) tile: usize,
    pub(crate) tile_given: bool,
    pub(crate) max_memory: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) strength: f32,
    pub(crate) threads: usize,
    pub(crate) cancel: CancelToken,
    pub(crate) wiring: Wiring,
}

impl Restorer {
    /// Begins a restorer of a model.
    pub fn builder(manifest: &Manifest) -> RestorerBuilder<'_> {
        RestorerBuilder::new(manifest)
    }

    pub(crate) fn assemble(parts: Parts, crew: Crew) -> Result<Self, Error> {
        let pool = match parts.threads {
            1 => None,
            threads => {
                let pool = ThreadPoolBuilder::new().num_threads(threads).build();
                // Its source says the same once more.
                Some(Arc::new(pool.map_err(|error| {
                    let what = format!("cannot start {threads} threads, ask for fewer: {error}");
                    Error::new(ErrorKind::Options, what)
                })?))
            }
        };
        let device = crew.device().to_owned();
        let crews = Arc::new(Crews::new(crew, parts.threads)?);
        Ok(Self { parts, device, pool, crews, cost: Arc::default() })
    }

    /// `parts` agree with those of `loaded` in what is shared.
    pub(crate) fn sharing(parts: Parts, loaded: &Self) -> Self {
        let Self { device, pool, crews, cost, .. } = loaded;
        Self {
            parts,
            device: device.clone(),
            pool: pool.clone(),
            crews: Arc::clone(crews),
            cost: Arc::clone(cost),
        }
    }

    /// Restores a picture `[channel, height, width]` with values from 0 to 1 (values outside are
    /// cut), of any size from 1×1. The result has the same shape and range.
    ///
    /// A grey picture (one channel) given to a model of colour pictures is run as three equal
    /// channels, and its result is their mean. `mask`, `[height, width]` from 0 to 1, is needed by
    /// models that have one; where it is 0 the picture is kept, to the last step of 16 bits.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] for a picture or mask that the model does not take,
    /// [`ErrorKind::Memory`] when [`max_memory`](RestorerBuilder::max_memory) cannot be kept,
    /// [`ErrorKind::Cancelled`], and [`ErrorKind::Network`] or [`ErrorKind::NotFinite`] when a
    /// network fails.
    pub fn restore(
        &self,
        picture: ArrayView3<'_, f32>,
        mask: Option<ArrayView2<'_, f32>>,
        progress: OnProgress<'_>,
    ) -> Result<Array3<f32>, Error> {
        self.whole(picture, mask, progress, None)
    }

    /// [`Restorer::restore`] that also shows every step of the whole picture. It holds the whole
    /// picture between the steps, so it takes more memory, as
    /// [`memory_estimate_with_steps`](Self::memory_estimate_with_steps) says.
    ///
    /// # Errors
    /// As [`Restorer::restore`].
    pub fn restore_with_steps(
        &self,
        picture: ArrayView3<'_, f32>,
        mask: Option<ArrayView2<'_, f32>>,
        progress: OnProgress<'_>,
        on_step: OnStep<'_>,
    ) -> Result<Array3<f32>, Error> {
        self.whole(picture, mask, progress, Some(on_step))
    }

    /// Restores a picture that is read and written row by row, so that neither it nor the result
    /// has to be in memory. `size` is `[channels, height, width]`.
    ///
    /// A row of the source has, after its colour channels, the mask as a further channel if the
    /// model has one. The first rows are written when some tiles' worth of rows were read.
    ///
    /// # Errors
    /// As [`Restorer::restore`], and [`ErrorKind::Rows`] for an error of source or sink.
    pub fn restore_rows(
        &self,
        size: [usize; 3],
        source: &mut dyn RowSource,
        sink: &mut dyn RowSink,
        progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        self.expect_conditional(true)?;
        self.check_size(size)?;
        let [_, height, width] = size;
        let layout = self.layout([height, width], false)?;
        Run::new(self, layout, Job { size, source, sink, progress, on_step: None }).go()
    }

    /// Draws a picture from noise, `[channel, height, width]` with values from 0 to 1, with a model
    /// that takes no input picture. `seed` stands in for the builder's. It is drawn in one window,
    /// whatever memory that takes, unless [`tile`](RestorerBuilder::tile) or
    /// [`max_memory`](RestorerBuilder::max_memory) asks for less: a network that sees the whole of a
    /// picture draws tiles that do not fit together.
    ///
    /// # Errors
    /// [`ErrorKind::Options`] if the model restores pictures; else as [`Restorer::restore`].
    pub fn generate(
        &self,
        [height, width]: [usize; 2],
        seed: u64,
        progress: OnProgress<'_>,
    ) -> Result<Array3<f32>, Error> {
        self.expect_conditional(false)?;
        let size = [self.parts.rules.channels, height, width];
        self.check_size(size)?;
        let layout = self.layout([height, width], false)?;
        let mut result = memory::blank(size)?;
        let mut source = |_: usize, _: &mut [f32]| Ok(());
        let mut sink = into_array(&mut result);
        let job = Job { size, source: &mut source, sink: &mut sink, progress, on_step: None };
        Run::new(self, layout, job).with_seed(seed).go()?;
        drop(sink);
        Ok(result)
    }

    /// What restoring a picture of `[height, width]` will take. What ONNX Runtime's arena keeps, of
    /// networks that were loaded without [`max_memory`](RestorerBuilder::max_memory), comes to it.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`] when [`max_memory`](RestorerBuilder::max_memory) cannot be kept, and
    /// [`ErrorKind::Network`] when a network does not run in tract, which tells for ONNX Runtime too.
    pub fn memory_estimate(&self, [height, width]: [usize; 2]) -> Result<MemoryEstimate, Error> {
        self.estimate([height, width], false)
    }

    /// What [`restore_with_steps`](Self::restore_with_steps) of a picture of `[height, width]` will
    /// take, the pictures that it shows among it.
    ///
    /// # Errors
    /// As [`Restorer::memory_estimate`].
    pub fn memory_estimate_with_steps(
        &self,
        [height, width]: [usize; 2],
    ) -> Result<MemoryEstimate, Error> {
        self.estimate([height, width], true)
    }

    /// What the smallest cut of a picture of `[height, width]` takes:
    /// [`max_memory`](RestorerBuilder::max_memory) can be kept from this on.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] as [`Restorer::memory_estimate`].
    pub fn least_memory(&self, [height, width]: [usize; 2]) -> Result<MemoryEstimate, Error> {
        self.least([height, width], false)
    }

    /// As [`least_memory`](Self::least_memory), for
    /// [`restore_with_steps`](Self::restore_with_steps).
    ///
    /// # Errors
    /// As [`Restorer::least_memory`].
    pub fn least_memory_with_steps(
        &self,
        [height, width]: [usize; 2],
    ) -> Result<MemoryEstimate, Error> {
        self.least([height, width], true)
    }

    /// Where the tiles of a picture of `[height, width]` meet: the first row, and the first column, of
    /// each tile but the first, as of the last step.
    ///
    /// # Errors
    /// As [`Restorer::memory_estimate`].
    pub fn tile_borders(&self, [height, width]: [usize; 2]) -> Result<[Vec<usize>; 2], Error> {
        self.check_size([self.parts.rules.channels, height, width])?;
        let layout = self.layout([height, width], false)?;
        let borders = |axis: Option<&Axis>| {
            let spans = axis.map_or(&[][..], Axis::spans).iter().skip(1);
            spans.map(|span| span.core.start).collect()
        };
        Ok([borders(layout.rows.last()), borders(Some(&layout.columns))])
    }

    /// Sets what [`max_memory`](RestorerBuilder::max_memory) sets, for the pictures from now on. ONNX
    /// Runtime keeps it where the networks were loaded with a limit; else pictures are refused then,
    /// with [`ErrorKind::Options`].
    pub fn set_max_memory(&mut self, bytes: Option<u64>) {
        self.parts.max_memory = bytes;
    }

    /// The name of the engine.
    pub fn engine(&self) -> &'static str {
        self.parts.engine
    }

    /// The device that the networks run on; for [`Device::Auto`](crate::Device::Auto) the one that
    /// was taken.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// How it samples.
    pub fn sampler(&self) -> &SamplerSpec {
        &self.parts.spec
    }

    /// Whether the networks are asked about mirror images too ([`RestorerBuilder::mirror`]).
    pub fn mirror(&self) -> bool {
        self.parts.rules.mirror.is_some()
    }

    /// Whether a look from afar has to confirm a residual ([`RestorerBuilder::confirm`]).
    pub fn confirm(&self) -> bool {
        self.parts.rules.confirm
    }

    /// The seed of the noise field.
    pub fn seed(&self) -> u64 {
        self.parts.seed
    }

    /// The number of threads that run tiles.
    pub fn threads(&self) -> usize {
        self.parts.threads
    }

    /// The time that networks have run so far, of all threads together. What a restoration takes
    /// beside it is the sampler's, the tiles' and the caller's.
    pub fn network_time(&self) -> Duration {
        self.crews.worked()
    }

    /// Whether a mask of a size `[height, width]`, or none, is what the model takes with a picture of `[height, width]`. For those
    /// who give it in rows; [`restore`](Self::restore) looks itself.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] where it is not.
    pub fn check_mask(
        &self,
        [height, width]: [usize; 2],
        mask: Option<[usize; 2]>,
    ) -> Result<(), Error> {
        let what = match (self.parts.picture.mask, mask) {
            (true, Some(mask)) if mask == [height, width] => return Ok(()),
            (true, Some([rows, columns])) => format!(
                "the mask is {columns}×{rows} and the picture {width}×{height}; they must be of one size"
            ),
            (true, None) => format!("{} needs a mask, and none was given", self.parts.id),
            (false, Some(_)) => format!("{} takes no mask, and one was given", self.parts.id),
            (false, None) => return Ok(()),
        };
        Err(Error::new(ErrorKind::Input, what))
    }

    /// What the model wants of a picture.
    pub fn picture(&self) -> &Picture {
        &self.parts.picture
    }

    /// The token that stops it, for good.
    pub fn cancel_token(&self) -> CancelToken {
        self.parts.cancel.clone()
    }

    fn whole(
        &self,
        picture: ArrayView3<'_, f32>,
        mask: Option<ArrayView2<'_, f32>>,
        progress: OnProgress<'_>,
        on_step: Option<OnStep<'_>>,
    ) -> Result<Array3<f32>, Error> {
        self.expect_conditional(true)?;
        let (channels, height, width) = picture.dim();
        let size = [channels, height, width];
        self.check_size(size)?;
        self.check_mask([height, width], mask.map(|mask| mask.dim().into()))?;
        let layout = self.layout([height, width], on_step.is_some())?;
        let mut result = memory::blank(size)?;
        let mut source = |y: usize, row: &mut [f32]| {
            let (colours, rest) = row.split_at_mut(channels * width);
            for (channel, out) in colours.chunks_exact_mut(width).enumerate() {
                let line = picture.slice(ndarray::s![channel, y, ..]);
                out.iter_mut().zip(line).for_each(|(out, &value)| *out = value);
            }
            if let Some(mask) = mask {
                rest.iter_mut().zip(mask.row(y)).for_each(|(out, &value)| *out = value);
            }
            Ok(())
        };
        let mut sink = into_array(&mut result);
        let on_step = on_step.map(|on_step| on_step as OnStep<'_>);
        let job = Job { size, source: &mut source, sink: &mut sink, progress, on_step };
        Run::new(self, layout, job).go()?;
        drop(sink);
        Ok(result)
    }

    fn estimate(&self, [height, width]: [usize; 2], shown: bool) -> Result<MemoryEstimate, Error> {
        self.check_size([self.parts.rules.channels, height, width])?;
        Ok(self.layout([height, width], shown)?.estimate(self.cost()?, self.parts.threads))
    }

    fn least(&self, [height, width]: [usize; 2], shown: bool) -> Result<MemoryEstimate, Error> {
        let size = [height, width];
        self.check_size([self.parts.rules.channels, height, width])?;
        let (cost, threads) = (self.cost()?, self.parts.threads);
        let least = memory::least(self.cuts(size, shown), cost, threads);
        Ok(least.unwrap_or_else(|| self.own_cut(size, shown).estimate(cost, threads)))
    }

    /// Whether a picture of `[channels, height, width]` can be restored, and in the memory that is
    /// allowed.
    pub(crate) fn check_picture(&self, [channels, height, width]: [usize; 3]) -> Result<(), Error> {
        self.check_size([channels, height, width])?;
        self.layout([height, width], false).map(drop)
    }

    /// The cut of a picture whose steps are shown or not.
    fn layout(&self, size: [usize; 2], shown: bool) -> Result<Layout, Error> {
        match self.parts.max_memory {
            None => Ok(self.own_cut(size, shown)),
            Some(_) if self.cost()?.keeps_more => {
                let what = format!(
                    "the networks of {} were loaded without a limit of memory, and keep in {} what they took; set the limit when they are loaded",
                    self.parts.id, self.parts.engine
                );
                Err(Error::new(ErrorKind::Options, what))
            }
            Some(most) => {
                memory::choose(self.cuts(size, shown), self.cost()?, self.parts.threads, most)
                    .map_err(|least| self.too_little(least, most))
            }
        }
    }

    fn too_little(&self, least: u64, most: u64) -> Error {
        let Parts { rules, tile, tile_given, threads, .. } = &self.parts;
        let cut = if *tile_given { format!(" in tiles of {tile} pixels") } else { String::new() };
        let (with, fewer) = match (*threads, rules.steps) {
            (1, 1) => (String::new(), ""),
            (1, _) => (String::new(), ", or use fewer steps"),
            (threads, 1) => (format!(" with {threads} threads"), ", or use fewer threads"),
            (threads, _) => (format!(" with {threads} threads"), ", or use fewer threads or steps"),
        };
        let smaller = if *tile_given { ", or a smaller tile" } else { "" };
        let [least, most] = [least, most].map(memory::megabytes);
        let what = format!(
            "the picture needs at least {least}{cut}{with}, and {most} are allowed; allow more memory{fewer}{smaller}"
        );
        Error::new(ErrorKind::Memory, what)
    }

    /// The cut that is taken where no limit of memory is to be kept.
    fn own_cut(&self, size: [usize; 2], shown: bool) -> Layout {
        let Parts { rules, threads, .. } = &self.parts;
        rules.layout(size, self.tile(size), *threads).showing_steps(shown)
    }

    /// The largest tile that is taken.
    fn tile(&self, [height, width]: [usize; 2]) -> usize {
        let Parts { sampler, tile, tile_given, .. } = &self.parts;
        let drawn_at_once = !sampler.conditional() && !tile_given;
        if drawn_at_once { height.max(width).max(*tile) } else { *tile }
    }

    /// The cuts that may be taken to keep a limit of memory, the fastest first.
    fn cuts(&self, size: [usize; 2], shown: bool) -> impl Iterator<Item = Layout> + '_ {
        let Parts { rules, tile, tile_given, threads, .. } = &self.parts;
        let layouts = rules.descending(size, self.tile(size), *threads);
        let allowed = layouts.take_while(move |layout| !tile_given || layout.tile == *tile);
        allowed.map(move |layout| layout.showing_steps(shown))
    }

    /// What the networks take, measured by the engine on one small window and once.
    fn cost(&self) -> Result<Cost, Error> {
        if let Some(cost) = self.cost.get() {
            return Ok(*cost);
        }
        let Rules { multiple, window_planes, .. } = self.parts.rules;
        let side = 64_usize.next_multiple_of(multiple);
        let shape = [1, window_planes, side, side];
        let mut cost = Cost::default();
        let mut widest: u64 = 0;
        for footprint in self.crews.footprints(shape)? {
            match footprint.own_weights {
                true => cost.own_weights += footprint.weights,
                false => cost.weights += footprint.weights,
            }
            // They run one after the other.
            widest = widest.max(footprint.running);
            cost.preparing = cost.preparing.max(footprint.preparing);
            cost.keeps_more |= footprint.keeps_more;
        }
        cost.per_pixel = widest as f64 / (side * side) as f64;
        Ok(*self.cost.get_or_init(|| cost))
    }

    fn expect_conditional(&self, restoring: bool) -> Result<(), Error> {
        if self.parts.sampler.conditional() == restoring {
            return Ok(());
        }
        let what = match restoring {
            true => format!("{} draws pictures and takes none", self.parts.id),
            false => format!("{} restores pictures and needs one", self.parts.id),
        };
        Err(Error::new(ErrorKind::Options, what))
    }

    fn check_size(&self, [channels, height, width]: [usize; 3]) -> Result<(), Error> {
        const LONGEST: usize = 1 << 24;
        let model = self.parts.rules.channels;
        if channels != model && !(channels == 1 && model == 3) {
            let what = format!(
                "{} takes pictures of {model} channels, and this one has {channels}",
                self.parts.id
            );
            return Err(Error::new(ErrorKind::Input, what));
        }
        if !(1..=LONGEST).contains(&height) || !(1..=LONGEST).contains(&width) {
            let what = format!(
                "the picture is {width}×{height}; width and height are from 1 to {LONGEST} pixels"
            );
            return Err(Error::new(ErrorKind::Input, what));
        }
        Ok(())
    }
}

/// What a [`Run`] uses of its restorer.
impl Restorer {
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(crate) fn pool(&self) -> Option<&ThreadPool> {
        self.pool.as_deref()
    }

    pub(crate) fn crews(&self) -> &Crews {
        &self.crews
    }

    pub(crate) fn noise(&self) -> NoiseField {
        NoiseField::new(self.parts.seed)
    }
}

fn into_array(
    result: &mut Array3<f32>,
) -> impl FnMut(usize, &[f32]) -> Result<(), crate::RowError> {
    move |y, row| {
        let width = result.dim().2;
        for (mut plane, values) in result.outer_iter_mut().zip(row.chunks_exact(width)) {
            plane.row_mut(y).iter_mut().zip(values).for_each(|(out, &value)| *out = value);
        }
        Ok(())
    }
}
