//! One file on its way from a registry into the store.

use std::{
    fs::File,
    io::{ErrorKind as IoErrorKind, Read},
    path::Path,
    time::{Duration, Instant},
};

use rddm_manifest::Digest;
use reqwest::{Url, blocking::Response, header};

use crate::{
    Error, ErrorKind, Http, Store,
    event::{Event, Observer},
    http::{Failure, Rest, retrying},
    place::Source,
    store::{CHUNK, Condition, Partial, free_space, is_strong, part_path},
};

/// A file that the store is to have.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What people know it by.
    pub(crate) file: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Where it may be had, in the order in which they are tried.
    pub(crate) sources: Vec<Source>,
}

/// Room that is left beside the file itself.
const SLACK: u64 = 1 << 20;

/// Brings a file into the store, if it is not there already.
///
/// # Errors
/// Verification, network, store or not-found, of the source that came nearest.
pub(crate) fn bring(
    store: &Store,
    wanted: &Wanted,
    http: &Http,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let already = |store: &Store| {
        let mut meter = Meter::new(wanted, observer);
        let condition =
            store.check_blob(&wanted.digest, wanted.size, &mut |done| meter.tell(done))?;
        if condition == Condition::Good {
            observer(verified(wanted, true));
        }
        Ok::<_, Error>(condition)
    };
    if already(store)? == Condition::Good {
        return Ok(());
    }
    let _lock = store.lock_blob(&wanted.digest.hex(), || {
        observer(Event::Waiting { file: wanted.file.clone() })
    })?;
    match already(store)? {
        Condition::Good => return Ok(()),
        Condition::Missing => {}
        Condition::Bad => {
            observer(restarted(wanted, "the file in the store was damaged"));
            store.remove_blob(&wanted.digest)?;
        }
    }
    check_space(store, wanted)?;
    let mut refused: Option<Error> = None;
    for source in &wanted.sources {
        let result = match source {
            Source::File(path) => copy(store, wanted, path, observer),
            Source::Url(url) => transfer(store, wanted, url, http, observer),
        };
        match result {
            Ok(()) => {
                observer(verified(wanted, false));
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Store => return Err(error),
            // Wrong bytes say more than a mirror that does not answer.
            Err(error) if refused.is_none() || rank(&error) > refused.as_ref().map_or(0, rank) => {
                refused = Some(error)
            }
            Err(_) => {}
        }
    }
    let refused =
        refused.unwrap_or_else(|| Error::not_found(format!("nobody has {}", wanted.file)));
    Err(match wanted.sources.len() {
        0 | 1 => refused,
        places => refused.within(&format!("none of {places} places has a good {}", wanted.file)),
    })
}

fn rank(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Verification => 2,
        ErrorKind::Network => 1,
        _ => 0,
    }
}

fn check_space(store: &Store, wanted: &Wanted) -> Result<(), Error> {
    let there =
        std::fs::metadata(part_path(store, &wanted.digest)).map_or(0, |metadata| metadata.len());
    let needed = wanted.size.saturating_sub(there) + SLACK;
    match free_space(store.root()) {
        Some(free) if free < needed => {
            let what = format!(
                "{} needs {needed} more bytes, and the disk of {} has {free} left",
                wanted.file,
                store.root().display()
            );
            Err(Error::new(ErrorKind::Store, what)
                .with_next("make room (`rddm-zoo gc`), or name another store with --home"))
        }
        _ => Ok(()),
    }
}

fn copy(store: &Store, wanted: &Wanted, path: &Path, observer: Observer<'_>) -> Result<(), Error> {
    let failed = |error: &std::io::Error| match error.kind() {
        IoErrorKind::NotFound => Error::not_found(format!("the registry lacks {}", path.display())),
        _ => Error::input(format!("cannot read {}: {error}", path.display())),
    };
    let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !metadata.is_file() || metadata.len() != wanted.size {
        return Err(wrong_size(wanted, &path.display().to_string(), metadata.len()));
    }
    let mut file = File::open(path).map_err(|error| failed(&error))?;
    let mut partial = Partial::open(store, wanted.digest, wanted.size)?;
    partial.restart()?;
    started(wanted, &path.display().to_string(), 0, observer);
    let mut meter = Meter::new(wanted, observer);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = file.read(&mut buffer).map_err(|error| failed(&error))?;
        if count == 0 {
            break;
        }
        if partial.length() + count as u64 > wanted.size {
            partial.discard()?;
            return Err(wrong_size(wanted, &path.display().to_string(), metadata.len() + 1));
        }
        partial.append(&buffer[..count])?;
        meter.tell(partial.length());
    }
    finish(partial, wanted, &path.display().to_string())
}

/// What is done with a transfer whose bytes turn out to be of no use.
enum Start {
    /// Ask for the rest of what is there.
    Resume,
    /// Ask for everything: the server's answers to the question for the rest cannot be trusted.
    Whole,
}

fn transfer(
    store: &Store,
    wanted: &Wanted,
    url: &Url,
    http: &Http,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let mut partial = Partial::open(store, wanted.digest, wanted.size)?;
    let mut start = Start::Resume;
    // Where the count of attempts last began again: what is lost and comes once more is no progress.
    let mut reached = 0;
    let result = retrying(http.options(), &wanted.file, observer, || {
        if partial.length() == wanted.size && !partial.is_right() {
            partial.restart()?;
            observer(restarted(wanted, "what an earlier attempt left is not the file"));
        }
        if partial.length() < wanted.size
            && let Err(mut failure) = attempt(&mut partial, &mut start, wanted, url, http, observer)
        {
            let step = (wanted.size / 64).max(64 * 1024);
            failure.progressed = failure.transient && partial.length() >= reached + step;
            if failure.progressed {
                reached = partial.length();
            }
            return Err(failure);
        }
        if partial.is_right() {
            return Ok(());
        }
        let pieced = partial.is_pieced();
        partial.restart()?;
        let wrong = Error::verification(format!(
            "{url} is not the file that the manifest names ({})",
            wanted.digest
        ));
        if pieced {
            observer(restarted(wanted, "the pieces do not fit together"));
            start = Start::Whole;
            return Err(Failure::transient(wrong));
        }
        Err(Failure::lasting(wrong))
    });
    match result {
        Ok(()) => finish(partial, wanted, url.as_str()),
        // Bytes that were refused are not kept; bytes of a transfer that broke off are.
        Err(error) if error.kind() == ErrorKind::Verification || partial.length() == 0 => {
            partial.discard()?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// One request, and what of its answer can be used.
fn attempt(
    partial: &mut Partial<'_>,
    start: &mut Start,
    wanted: &Wanted,
    url: &Url,
    http: &Http,
    observer: Observer<'_>,
) -> Result<(), Failure> {
    if matches!(start, Start::Whole) && partial.length() > 0 {
        partial.restart()?;
    }
    let from = partial.length();
    let rest = (from > 0).then(|| Rest { from, tag: partial.tag(url.as_str()) });
    let response = http.get(url, rest, matches!(start, Start::Whole))?;
    let tag =
        response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let mut begin_again = |partial: &mut Partial<'_>, why: &str| -> Result<Failure, Failure> {
        partial.restart()?;
        *start = Start::Whole;
        observer(restarted(wanted, why));
        Ok(Failure::transient(Error::network(format!("{url}: {why}"))))
    };
    match response.status().as_u16() {
        206 if from == 0 => {
            let what = format!("{url} answers with a part of the file that nobody asked for");
            return Err(Failure::lasting(Error::network(what)));
        }
        206 => {
            let changed = tag.as_deref().is_some_and(|tag| {
                is_strong(tag) && partial.tag(url.as_str()).is_some_and(|old| old != tag)
            });
            if changed {
                return Err(begin_again(partial, "the file was changed on the server")?);
            }
            if !fits(&response, from, wanted.size) {
                return Err(begin_again(
                    partial,
                    "the server sent another part than was asked for",
                )?);
            }
        }
        416 if from > 0 => return Err(begin_again(partial, "the server has no such part")?),
        416 => {
            return Err(Failure::lasting(Error::network(format!(
                "{url} answers 416 without a reason"
            ))));
        }
        _ if from > 0 => {
            partial.restart()?;
            observer(restarted(wanted, "the server sends the whole file"));
        }
        _ => {}
    }
    let missing = wanted.size - partial.length();
    if response.status() == 200 && response.content_length().is_some_and(|length| length != missing)
    {
        let length = response.content_length().unwrap_or_default();
        let html = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let error = wrong_size(wanted, url.as_str(), length);
        return Err(Failure::lasting(if html {
            error.with_next(
                "the server sent a web page: is there a login, or a network that wants one?",
            )
        } else {
            error
        }));
    }
    partial.begin_part(tag.as_deref(), url.as_str())?;
    started(wanted, url.as_str(), partial.length(), observer);
    receive(partial, response, wanted, url, http, observer)
}

/// Whether a 206 has exactly the bytes from `from` on, of a file of `size` bytes.
fn fits(response: &Response, from: u64, size: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let Some((range, total)) = range
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split_once('/'))
    else {
        return false;
    };
    let Some((first, last)) = range.split_once('-') else { return false };
    let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else { return false };
    let total_fits = total == "*" || total.parse() == Ok(size);
    let length_fits = response
        .content_length()
        .is_none_or(|length| last.checked_sub(first).is_some_and(|span| span + 1 == length));
    first == from && last < size && total_fits && length_fits
}

fn receive(
    partial: &mut Partial<'_>,
    response: Response,
    wanted: &Wanted,
    url: &Url,
    http: &Http,
    observer: Observer<'_>,
) -> Result<(), Failure> {
    let chunked = response.headers().get(header::TRANSFER_ENCODING).is_some();
    let whole = response.status() == 200;
    let mut meter = Meter::new(wanted, observer);
    http.body(url, response, |piece| {
        if partial.length() + piece.len() as u64 > wanted.size {
            partial.restart()?;
            let what =
                format!("{url} sends more than the {} bytes that the manifest names", wanted.size);
            return Err(Failure::lasting(Error::verification(what)));
        }
        partial.append(piece)?;
        meter.tell(partial.length());
        Ok(())
    })?;
    let there = partial.length();
    if there < wanted.size {
        // A chunked body says itself where it ends; one without a length may have been cut.
        if whole && chunked {
            partial.restart()?;
            return Err(Failure::lasting(wrong_size(wanted, url.as_str(), there)));
        }
        let what = format!("{url} ended after {there} of {} bytes", wanted.size);
        return Err(Failure::transient(Error::network(what)));
    }
    Ok(())
}

fn finish(partial: Partial<'_>, wanted: &Wanted, place: &str) -> Result<(), Error> {
    if !partial.is_right() {
        partial.discard()?;
        let what = format!("{place} is not the file that the manifest names ({})", wanted.digest);
        return Err(Error::verification(what)
            .with_next("the registry is damaged, or somebody changed the file; nothing was kept"));
    }
    partial.adopt()
}

fn wrong_size(wanted: &Wanted, place: &str, found: u64) -> Error {
    Error::verification(format!(
        "{place} has {found} bytes, and the manifest names {}",
        wanted.size
    ))
}

fn started(wanted: &Wanted, from: &str, resumed: u64, observer: Observer<'_>) {
    observer(Event::Started {
        file: wanted.file.clone(),
        from: from.to_owned(),
        size: wanted.size,
        resumed,
    });
}

fn restarted(wanted: &Wanted, reason: &str) -> Event {
    Event::Restarted { file: wanted.file.clone(), reason: reason.to_owned() }
}

pub(crate) fn verified(wanted: &Wanted, already: bool) -> Event {
    Event::Verified {
        file: wanted.file.clone(),
        digest: wanted.digest.to_string(),
        size: wanted.size,
        already,
    }
}

/// Tells the progress a few times a second.
struct Meter<'a> {
    wanted: &'a Wanted,
    observer: Observer<'a>,
    told: Option<Instant>,
}

impl<'a> Meter<'a> {
    fn new(wanted: &'a Wanted, observer: Observer<'a>) -> Self {
        Self { wanted, observer, told: None }
    }

    fn tell(&mut self, done: u64) {
        if done < self.wanted.size
            && self.told.is_some_and(|told| told.elapsed() < Duration::from_millis(100))
        {
            return;
        }
        self.told = Some(Instant::now());
        (self.observer)(Event::Progress {
            file: self.wanted.file.clone(),
            done,
            size: self.wanted.size,
        });
    }
}

/// A failure of the store while a transfer runs is not a matter of trying again.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::lasting(error)
    }
}
