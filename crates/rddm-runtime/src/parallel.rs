use std::sync::{
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use rayon::ThreadPool;

use crate::Error;

/// Does `work` for every number below `count`, in the pool if there is one, and gives each result
/// to `take` in this thread as it comes. Ends at the first error.
pub(crate) fn each<T: Send>(
    pool: Option<&ThreadPool>,
    count: usize,
    work: impl Fn(usize) -> Result<T, Error> + Sync,
    mut take: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(pool) = pool.filter(|_| count > 1) else {
        return (0..count).try_for_each(|number| take(work(number)?));
    };
    let threads = pool.current_num_threads().min(count);
    let next = AtomicUsize::new(0);
    let (next, work) = (&next, &work);
    // Bounded: finished tiles do not pile up when this thread is slow.
    let (sender, receiver) = mpsc::sync_channel(threads);
    pool.in_place_scope(move |scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(move |_| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // No receiver any more: something failed.
                    if number >= count || sender.send(work(number)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        receiver.into_iter().try_for_each(|result| take(result?))
    })
}
