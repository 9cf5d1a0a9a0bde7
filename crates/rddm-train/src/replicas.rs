//! One batch on several threads.
//!
//! The tensor library gains little from a second thread on small convolutions. Here each thread has a replica of the
//! network and a part of the batch, and the gradients are summed in the order of the parts, so that the number of replicas
//! is part of the recipe but the machine's speed is not.

use std::thread;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rddm_networks::Network;

use crate::error::{Error, Kind};
use crate::examples::Examples;
use crate::loss::Batch;

/// The threads that share each batch.
pub(crate) struct Replicas {
    pools: Vec<ThreadPool>,
}

impl Replicas {
    /// `count` replicas, one thread each.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn new(count: usize) -> Result<Self, Error> {
        let pools = (0..count)
            .map(|_| ThreadPoolBuilder::new().num_threads(1).build())
            .collect::<Result<_, _>>()
            .map_err(|error| Error::new(Kind::Run, format!("no thread for a replica: {error}")))?;
        Ok(Self { pools })
    }

    /// The mean loss over `parts`, one for each replica, and its gradients for `network`. `measure` measures the loss of one, on
    /// the replica's own thread.
    pub(crate) fn gradients(
        &self,
        network: &Network,
        device: &Device,
        parts: Vec<Examples>,
        measure: &(dyn Fn(&Network, Batch) -> Tensor<1> + Sync),
    ) -> (f64, GradientsParams) {
        let share = 1.0 / self.pools.len() as f64;
        let one = |part: Examples, pool: &ThreadPool, replica: Network| {
            pool.install(|| {
                let loss = measure(&replica, part.on(device)).mul_scalar(share);
                let gradients = GradientsParams::from_grads(loss.backward(), &replica);
                (f64::from(loss.into_scalar::<f32>()), gradients)
            })
        };
        let results: Vec<(f64, GradientsParams)> = thread::scope(|scope| {
            let one = &one;
            let workers: Vec<_> = (self.pools.iter().zip(parts))
                .map(|(pool, part)| {
                    // A fork has a graph of its own, so that the threads do not wait for each other.
                    let replica = network.clone().fork(device);
                    scope.spawn(move || one(part, pool, replica))
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        });
        let mut total = 0.0;
        let mut sum: Option<GradientsParams> = None;
        for (loss, gradients) in results {
            total += loss;
            sum = Some(match sum {
                None => gradients,
                Some(mut sum) => {
                    network.visit(&mut Adder { sum: &mut sum, other: gradients });
                    sum
                }
            });
        }
        (total, sum.unwrap_or_default())
    }
}

struct Adder<'a> {
    sum: &'a mut GradientsParams,
    other: GradientsParams,
}

impl ModuleVisitor for Adder<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(other) = self.other.remove::<D>(param.id) {
            let sum = match self.sum.remove::<D>(param.id) {
                Some(sum) => sum + other,
                None => other,
            };
            self.sum.register(param.id, sum);
        }
    }
}
