//! Answers requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_DISPOSITION, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, StatusCode};
use rddm_image::Format;
use serde::Serialize;

use super::answer::{self, Answer, Refusal};
use super::ask::Ask;
use super::form::Form;
use super::guard::Guard;
use super::jobs::{Job, JobId, Jobs};
use super::page;
use super::routes::{self, Route};
use super::shelf::{Loaded, Shelf};
use super::upload::{self, Bounds};
use super::work::{self, Restored};
use crate::args::Serve;
use crate::failure::{Failure, code};
use crate::model;

pub(super) struct Site {
    shelf: Shelf,
    guard: Guard,
    body: Bounds,
    most_steps: usize,
    most_pictures: u32,
    jobs: Arc<Jobs>,
}

impl Site {
    pub(super) fn new(args: &Serve, shelf: Shelf, address: SocketAddr) -> Self {
        Self {
            shelf,
            guard: Guard::new(address),
            body: Bounds { bytes: args.max_body, time: args.timeout },
            most_steps: args.max_steps,
            most_pictures: args.max_pictures,
            jobs: Jobs::new(args.max_pictures),
        }
    }

    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Answer, Infallible> {
        let (head, mut body) = request.into_parts();
        match self.fulfil(&head, &mut body).await {
            Ok(answer) => Ok(answer),
            Err(refusal) => {
                upload::discard(&mut body, &head.headers, self.body).await;
                Ok(refusal.answer())
            }
        }
    }

    async fn fulfil(
        self: &Arc<Self>,
        head: &Parts,
        body: &mut Incoming,
    ) -> Result<Answer, Refusal> {
        self.guard.check(head)?;
        let (route, id) = routes::find(&head.method, head.uri.path())?;
        match route {
            Route::Page => Ok(page::answer()),
            Route::OpenApi => Ok(answer::ok("application/json", include_str!("openapi.json"))),
            Route::Models => Ok(answer::json(StatusCode::OK, &self.offer())),
            Route::Restore => {
                self.restore(head.uri.query().unwrap_or(""), &head.headers, body).await
            }
            Route::Progress => Ok(match self.job(id)? {
                Some(job) => answer::json(StatusCode::OK, &job.report()),
                None => answer::nothing(),
            }),
            Route::Cancel => Ok(match self.job(id)? {
                Some(job) => {
                    job.cancel();
                    answer::json(StatusCode::ACCEPTED, &job.report())
                }
                None => answer::nothing(),
            }),
        }
    }

    fn job(&self, id: &str) -> Result<Option<Arc<Job>>, Refusal> {
        let id: JobId = id.parse().map_err(Failure::usage)?;
        Ok(self.jobs.get(&id))
    }

    async fn restore(
        self: &Arc<Self>,
        query: &str,
        headers: &HeaderMap,
        body: &mut Incoming,
    ) -> Result<Answer, Refusal> {
        let ask = Ask::parse(query, self.most_steps)?;
        let form = Form::of(headers)?;
        let Some(loaded) = self.shelf.get(&ask.model) else {
            let what = format!("no model named {} is served here", ask.model);
            return Err(Failure::new(code::MODEL, what).with_next("see /api/models").into());
        };
        if loaded.takes_mask() && matches!(form, Form::Plain) {
            return Err(without_mask(loaded).into());
        }
        let place = self.jobs.begin(ask.id.as_ref())?;
        let job = Arc::clone(place.job());
        let _waiter = job.waiter();
        let body = tokio::select! {
            body = upload::read(body, self.body) => body?,
            () = job.cancelled() => return Err(Refusal::cancelled()),
        };
        let site = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || {
            // The place is taken until this has ended, whether somebody waits for it or not.
            let job = place.job();
            let loaded = site.shelf.get(&ask.model).ok_or_else(|| Failure::usage("no model"))?;
            let files = form.files(&body)?;
            if loaded.takes_mask() && files.mask.is_none() {
                return Err(without_mask(loaded));
            }
            if !loaded.takes_mask() && files.mask.is_some() {
                let what = format!("{} takes no mask", loaded.id());
                return Err(Failure::usage(what).with_next("send the picture alone"));
            }
            let restored = work::restore(loaded, &ask, files, job)?;
            Ok::<_, Failure>(picture(loaded, restored))
        });
        let done = work.await;
        if job.is_cancelled() {
            return Err(Refusal::cancelled());
        }
        match done {
            Ok(answer) => Ok(answer?),
            // A panic; its text went to standard error.
            Err(_) => {
                let what = "the restoration broke off unexpectedly";
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, what))
            }
        }
    }

    fn offer(&self) -> Offer<'_> {
        let models = self.shelf.models().map(|loaded| {
            let (manifest, sampler) = (&loaded.model.manifest, loaded.restorer().sampler());
            Offered {
                id: manifest.id.as_str(),
                version: manifest.version.to_string(),
                manifest_sha256: loaded.model.sha256.hex(),
                summary: manifest.summary.to_string(),
                license: manifest.license.to_string(),
                steps: sampler.steps,
                eta: sampler.eta,
                mask: loaded.takes_mask(),
            }
        });
        Offer {
            schema: 1,
            models: models.collect(),
            formats: Format::ALL.map(Format::extension).to_vec(),
            limits: Limits {
                body_bytes: self.body.bytes,
                steps: self.most_steps,
                pictures: self.most_pictures,
            },
        }
    }
}

/// What `/api/models` says.
#[derive(Serialize)]
struct Offer<'a> {
    schema: u32,
    models: Vec<Offered<'a>>,
    formats: Vec<&'static str>,
    limits: Limits,
}

#[derive(Serialize)]
struct Offered<'a> {
    id: &'a str,
    version: String,
    manifest_sha256: String,
    summary: String,
    license: String,
    steps: usize,
    eta: f32,
    mask: bool,
}

#[derive(Serialize)]
struct Limits {
    body_bytes: u64,
    steps: usize,
    pictures: u32,
}

fn without_mask(loaded: &Loaded) -> Failure {
    let what = format!("{} needs a mask that marks what to restore, and none came", loaded.id());
    Failure::usage(what)
        .with_next("send a form (multipart/form-data) with the files picture and mask")
}

fn picture(loaded: &Loaded, restored: Restored) -> Answer {
    let Restored { picture, losses, milliseconds } = restored;
    let times = milliseconds.map(|(name, time)| format!("{name};dur={time:.1}"));
    let (id, extension) = (loaded.id(), picture.format.extension());
    let mut answer = answer::ok(media_type(picture.format), picture.bytes);
    let mut add = |name: HeaderName, value: String| {
        // Names, numbers and plain words: each fits into a header.
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(name, value);
        }
    };
    add(CONTENT_DISPOSITION, format!("attachment; filename=\"picture.{id}.{extension}\""));
    add(HeaderName::from_static("server-timing"), times.join(", "));
    add(HeaderName::from_static("rddm-model"), model::title(&loaded.model.manifest));
    if !losses.is_empty() {
        add(HeaderName::from_static("rddm-losses"), losses.join(", "));
    }
    answer
}

fn media_type(format: Format) -> &'static str {
    match format {
        Format::Png => "image/png",
        Format::Jpeg => "image/jpeg",
        Format::WebP => "image/webp",
        Format::Tiff => "image/tiff",
        Format::Bmp => "image/bmp",
        _ => "application/octet-stream",
    }
}
