//! Restorations that are under way: how far each is, and the word that ends it.
//!
//! One holds a place from before its body is read until its work has ended, and what is known of it
//! here goes with it: there are never more of them than places, and nothing is left of one that is done.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use rddm_runtime::{Control, Progress};
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::answer::Refusal;
use crate::failure::Failure;

/// The name that a client gives its restoration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct JobId(String);

impl FromStr for JobId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=64).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err("an id is from 1 to 64 letters, digits, - and _");
        }
        Ok(Self(text.to_owned()))
    }
}

pub(super) struct Jobs {
    places: Arc<Semaphore>,
    named: Mutex<HashMap<JobId, Arc<Job>>>,
}

impl Jobs {
    pub(super) fn new(places: u32) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places as usize));
        Arc::new(Self { places, named: Mutex::default() })
    }

    /// Takes a place for a restoration.
    pub(super) fn begin(self: &Arc<Self>, id: Option<&JobId>) -> Result<Place, Refusal> {
        let mut named = held(&self.named);
        if id.is_some_and(|id| named.contains_key(id)) {
            let what = "a restoration with this id is under way";
            return Err(Refusal::new(StatusCode::CONFLICT, what).with_next("take another id"));
        }
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Refusal::busy());
        };
        let job = Arc::new(Job::new());
        if let Some(id) = id {
            named.insert(id.clone(), Arc::clone(&job));
        }
        Ok(Place { jobs: Arc::clone(self), id: id.cloned(), job, _permit: permit })
    }

    /// The restoration of a name, while it is under way.
    pub(super) fn get(&self, id: &JobId) -> Option<Arc<Job>> {
        held(&self.named).get(id).map(Arc::clone)
    }
}

/// A restoration's place among those that are worked on. It is free again when this is dropped.
pub(super) struct Place {
    jobs: Arc<Jobs>,
    id: Option<JobId>,
    job: Arc<Job>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(super) fn job(&self) -> &Arc<Job> {
        &self.job
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            held(&self.jobs.named).remove(id);
        }
    }
}

/// What a restoration and those who ask for it share.
pub(super) struct Job {
    begun: Instant,
    stage: Mutex<Stage>,
    cancelled: AtomicBool,
    told: Notify,
    /// The client went away.
    left: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Receiving,
    Reading,
    Restoring { begun: Instant, last: Option<Tile> },
    Writing,
}

/// The last tile that was finished.
#[derive(Debug, Clone, Copy)]
struct Tile {
    fraction: f64,
    /// When it was, from the restoration's begin.
    at: Duration,
    /// Whether every thread has had a tile by then, which makes the time that is left a sound guess.
    telling: bool,
}

/// What is told of a restoration.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    state: &'static str,
    fraction: f64,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<f64>,
}

impl Job {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            stage: Mutex::new(Stage::Receiving),
            cancelled: AtomicBool::default(),
            told: Notify::new(),
            left: AtomicBool::default(),
        }
    }

    /// Has the work end at its next tile.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.told.notify_one();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Waits until it is cancelled. One at a time may wait.
    pub(super) async fn cancelled(&self) {
        self.told.notified().await;
    }

    /// Held by what waits for the work, which is dropped when its client goes away.
    pub(super) fn waiter(self: &Arc<Self>) -> Waiter {
        Waiter(Arc::clone(self))
    }

    /// The body has come; pictures are decoded.
    pub(super) fn reads(&self) -> Result<(), Failure> {
        self.enter(Stage::Reading)
    }

    pub(super) fn restores(&self) -> Result<(), Failure> {
        self.enter(Stage::Restoring { begun: Instant::now(), last: None })
    }

    /// The picture is restored, and is encoded.
    pub(super) fn writes(&self) -> Result<(), Failure> {
        self.enter(Stage::Writing)
    }

    /// A tile was finished by one of so many threads.
    pub(super) fn advances(&self, progress: Progress, threads: usize) -> Control {
        if let Stage::Restoring { begun, last } = &mut *held(&self.stage) {
            let round = threads.min(progress.tiles / progress.steps.max(1));
            *last = Some(Tile {
                fraction: progress.fraction(),
                at: begun.elapsed(),
                telling: progress.done >= round,
            });
        }
        if self.is_over() { Control::Stop } else { Control::Continue }
    }

    pub(super) fn report(&self) -> Report {
        let stage = *held(&self.stage);
        let (state, fraction) = match stage {
            Stage::Receiving => ("receiving", 0.0),
            Stage::Reading => ("reading", 0.0),
            Stage::Restoring { last, .. } => ("restoring", last.map_or(0.0, |tile| tile.fraction)),
            Stage::Writing => ("writing", 1.0),
        };
        let seconds_left = match stage {
            Stage::Restoring { begun, last: Some(tile) } if tile.telling => {
                Some(tile.seconds_left(begun.elapsed()))
            }
            _ => None,
        };
        let ending = self.is_over();
        Report {
            schema: 1,
            state: if ending { "ending" } else { state },
            fraction,
            seconds: self.begun.elapsed().as_secs_f64(),
            seconds_left: seconds_left.filter(|_| !ending),
        }
    }

    /// Whether nobody wants the picture any more.
    fn is_over(&self) -> bool {
        self.is_cancelled() || self.left.load(Ordering::Relaxed)
    }

    fn enter(&self, stage: Stage) -> Result<(), Failure> {
        *held(&self.stage) = stage;
        if self.is_over() { Err(Failure::interrupted()) } else { Ok(()) }
    }
}

impl Tile {
    /// As if the other tiles took as long as those so far, at a time after it.
    fn seconds_left(&self, now: Duration) -> f64 {
        let all = self.at.as_secs_f64() / self.fraction;
        (all - now.as_secs_f64()).max(0.0)
    }
}

pub(super) struct Waiter(Arc<Job>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Relaxed);
    }
}

/// What a thread that panicked left behind is whole: each change is one assignment.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain() {
        for good in ["a", "0b8f-AZ_9", &"x".repeat(64)] {
            assert!(good.parse::<JobId>().is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a b", "é", "..", &"x".repeat(65)] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_place_is_free_when_its_work_has_ended() {
        let (jobs, id) = (Jobs::new(2), "a".parse().unwrap());
        let place = jobs.begin(Some(&id)).unwrap();
        assert!(jobs.begin(Some(&id)).is_err());
        let nameless = jobs.begin(None).unwrap();
        assert!(jobs.begin(None).is_err());
        assert_eq!(jobs.get(&id).unwrap().report().state, "receiving");
        drop((place, nameless));
        assert!(jobs.get(&id).is_none());
        assert!(jobs.begin(Some(&id)).is_ok());
    }

    #[test]
    fn the_time_left_is_that_of_the_other_tiles() {
        let tile = Tile { fraction: 0.25, at: Duration::from_secs(10), telling: true };
        assert_eq!(tile.seconds_left(Duration::from_secs(10)), 30.0);
        assert_eq!(tile.seconds_left(Duration::from_secs(14)), 26.0);
        assert_eq!(tile.seconds_left(Duration::from_secs(99)), 0.0);
    }

    #[test]
    fn who_is_cancelled_or_alone_ends() {
        let job = Arc::new(Job::new());
        assert!(job.reads().is_ok());
        job.cancel();
        assert!(job.restores().is_err() && job.report().state == "ending");
        let job = Arc::new(Job::new());
        drop(job.waiter());
        assert!(job.writes().is_err() && !job.is_cancelled());
    }
}
