//! The networks of all threads, lent to whoever works on a tile.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{CancelToken, Error, Footprint, networks::Crew, run::cancelled};

/// One crew for each thread, lent for a tile at a time, to who has waited longest.
pub(crate) struct Crews {
    crews: Mutex<Lending>,
    changed: Condvar,
    /// Nanoseconds that crews were lent.
    worked: AtomicU64,
    pictures: Mutex<Pictures>,
}

#[derive(Default)]
struct Lending {
    /// The one that came home last is lent first: what crews make when they first run stays little.
    free: Vec<Crew>,
    /// Who waits for one, by numbers, the first in front.
    waiting: VecDeque<u64>,
    next: u64,
}

/// Shapes of what the pictures under way are cut into, and networks that never run, so that whoever asks them something
/// waits for no tile.
struct Pictures {
    shapes: usize,
    unlent: Crew,
}

impl Crews {
    pub(crate) fn new(first: Crew, count: usize) -> Result<Self, Error> {
        let unlent = first.fork()?;
        let mut free = (1..count).map(|_| first.fork()).collect::<Result<Vec<_>, _>>()?;
        free.push(first);
        Ok(Self {
            crews: Mutex::new(Lending { free, ..Lending::default() }),
            changed: Condvar::new(),
            worked: AtomicU64::new(0),
            pictures: Mutex::new(Pictures { shapes: 0, unlent }),
        })
    }

    fn crews(&self) -> MutexGuard<'_, Lending> {
        self.crews.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pictures(&self) -> MutexGuard<'_, Pictures> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that crews were lent so far.
    pub(crate) fn worked(&self) -> Duration {
        Duration::from_nanos(self.worked.load(Ordering::Relaxed))
    }

    /// What each of the networks takes for a batch of `shape`.
    pub(crate) fn footprints(&self, shape: [usize; 4]) -> Result<Vec<Footprint>, Error> {
        let pictures = self.pictures();
        pictures.unlent.networks().iter().map(|network| network.footprint(shape)).collect()
    }

    /// Counts a picture, whose windows have so many `shapes`, for as long as the result is kept. Networks stay ready for the
    /// shapes of the pictures that are under way, and for no more: each picture's estimate counts the weights once a shape.
    pub(crate) fn begin_picture(&self, shapes: usize) -> UnderWay<'_> {
        let mut pictures = self.pictures();
        pictures.shapes += shapes;
        pictures.unlent.keep(pictures.shapes);
        UnderWay { crews: self, shapes }
    }

    /// Waits for a crew, for as long as nobody cancels, and lets it work.
    pub(crate) fn with<T>(
        &self,
        cancel: &CancelToken,
        work: impl FnOnce(&mut Crew) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut lent = Lent { crew: self.wait(cancel)?, home: self };
        let begun = Instant::now();
        let done = work(&mut lent.crew);
        self.worked.fetch_add(begun.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    fn wait(&self, cancel: &CancelToken) -> Result<Crew, Error> {
        /// How long it takes at most until a token is looked at.
        const LOOK: Duration = Duration::from_millis(50);
        let mut crews = self.crews();
        let own = crews.next;
        crews.next += 1;
        crews.waiting.push_back(own);
        let crew = loop {
            if cancel.is_cancelled() {
                break Err(cancelled());
            }
            if crews.waiting.front() == Some(&own)
                && let Some(crew) = crews.free.pop()
            {
                break Ok(crew);
            }
            crews = match self.changed.wait_timeout(crews, LOOK) {
                Ok((crews, _)) => crews,
                Err(poisoned) => poisoned.into_inner().0,
            };
        };
        crews.waiting.retain(|&waiting| waiting != own);
        self.changed.notify_all();
        crew
    }
}

/// A picture that is counted until this is dropped.
pub(crate) struct UnderWay<'a> {
    crews: &'a Crews,
    shapes: usize,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.crews.pictures().shapes -= self.shapes;
    }
}

/// Brings its crew home even if the work panics.
struct Lent<'a> {
    crew: Crew,
    home: &'a Crews,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let crew = std::mem::take(&mut self.crew);
        self.home.crews().free.push(crew);
        self.home.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn who_waits_first_has_the_next_crew_and_may_stop_waiting() {
        let crews = Crews::new(Crew::default(), 1).unwrap();
        let (crews, order) = (&crews, &Mutex::new(Vec::new()));
        let tokens: [CancelToken; 5] = Default::default();
        let work = |number: usize| {
            crews.with(&tokens[number], |_| {
                order.lock().unwrap().push(number);
                Ok(())
            })
        };
        std::thread::scope(|scope| {
            let waiting = crews.with(&tokens[0], |_| {
                let waiting = [1, 2, 3].map(|number| {
                    let waiting = scope.spawn(move || work(number));
                    while crews.crews().waiting.len() < number {
                        std::thread::yield_now();
                    }
                    waiting
                });
                drop(crews.begin_picture(1));
                tokens[2].cancel();
                while crews.crews().waiting.len() > 2 {
                    std::thread::yield_now();
                }
                Ok(waiting)
            });
            work(4).unwrap();
            let ends = waiting.unwrap().map(|waiting| waiting.join().unwrap());
            assert_eq!(ends[1].as_ref().unwrap_err().kind(), ErrorKind::Cancelled);
        });
        assert_eq!(*order.lock().unwrap(), [1, 3, 4]);
    }
}
