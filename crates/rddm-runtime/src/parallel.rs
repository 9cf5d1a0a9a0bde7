use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{
    atomic::{AtomicBool, Ordering},
    mpsc,
};

use rayon::ThreadPool;

use crate::Error;

/// How many of `count` are begun or wait to be taken at a time, so that finished tiles do not pile up when who takes them is
/// slow.
pub(crate) fn ahead(threads: usize, count: usize) -> usize {
    if threads == 1 { 1 } else { (2 * threads).min(count) }
}

/// Does `work` for every number below `count`, in the pool if there is one, and gives each result
/// to `take` in this thread as it comes. Ends at the first error.
///
/// No thread of the pool ever waits for this one: `take` may be slow, ask for another restoration in the same pool, or wait for a thread
/// that does.
pub(crate) fn each<T: Send>(
    pool: Option<&ThreadPool>,
    count: usize,
    work: impl Fn(usize) -> Result<T, Error> + Sync,
    mut take: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(pool) = pool.filter(|_| count > 1) else {
        return (0..count).try_for_each(|number| take(work(number)?));
    };
    let ahead = ahead(pool.current_num_threads(), count);
    let stopped = AtomicBool::new(false);
    let (stopped, work) = (&stopped, &work);
    let (sender, receiver) = mpsc::channel();
    pool.in_place_scope(move |scope| {
        let begin = |number| {
            let sender = sender.clone();
            scope.spawn(move |_| {
                if !stopped.load(Ordering::Relaxed) {
                    // It is received for as long as anything is waited for.
                    let _ = sender.send(catch_unwind(AssertUnwindSafe(|| work(number))));
                }
            });
        };
        (0..ahead).for_each(&begin);
        let mut rest = ahead..count;
        let done = receiver.iter().take(count).try_for_each(|result| {
            rest.next().into_iter().for_each(&begin);
            match result {
                Ok(result) => take(result?),
                Err(panic) => resume_unwind(panic),
            }
        });
        stopped.store(done.is_err(), Ordering::Relaxed);
        done
    })
}
