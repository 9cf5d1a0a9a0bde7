//! One file a subcommand; this one has what they share.

mod completions;
mod du;
mod export;
mod gc;
mod import;
mod keygen;
mod list;
mod lock;
mod man;
mod publish;
mod pull;
mod rm;
mod search;
mod serve;
mod show;
mod verify;

use std::{env, fs, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use rddm_manifest::ModelId;
use rddm_zoo::{
    Access, Error, ErrorKind, Event, Http, HttpOptions, Place, Proxy, Registry, Settings, Store,
    Token, Trust,
};

use crate::output::{Manner, Output};

/// Pull, verify and keep restoration models.
#[derive(Debug, Parser)]
#[command(name = "rddm-zoo", version, after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Environment:
  RDDM_REGISTRY  a folder or URL that holds index.toml; default: the manifests/ of the checkout
  RDDM_HOME      the store; default: rddm in the system's folder for data
  RDDM_SIGNING_KEY, RDDM_SIGNING_PASSWORD  the key file that publish signs with, and its password
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY  as usual; this machine itself is asked without a proxy

Exit codes:
  0 done  1 unexpected  2 usage  3 a given file is bad  4 model not found or not pulled
  5 verification failed (digest, signature, size, expiry)  6 network  7 disk or store
  130 interrupted";

#[derive(Debug, Args)]
struct Common {
    /// A folder or URL that holds index.toml [env: RDDM_REGISTRY]
    #[arg(long, global = true, value_name = "FOLDER|URL")]
    registry: Option<String>,
    /// The store's folder [env: RDDM_HOME]
    #[arg(long, global = true, value_name = "FOLDER")]
    home: Option<PathBuf>,
    /// Use no network: not a single socket is opened
    #[arg(long, global = true)]
    offline: bool,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "json")]
    quiet: bool,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    http: HttpArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Trust")]
struct TrustOptions {
    /// Accept indexes signed by this minisign key (its file, or its 56 characters) instead of the
    /// zoo's own; may be given several times
    #[arg(long = "key", global = true, value_name = "FILE|KEY")]
    keys: Vec<String>,
    /// Accept an index without looking at its signature: whoever can change the registry can change what runs
    #[arg(long, global = true, conflicts_with = "keys")]
    allow_unsigned: bool,
    /// Accept an index that has expired
    #[arg(long, global = true)]
    allow_expired: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
struct HttpArguments {
    /// Attempts that are made again without progress before a transfer is given up
    #[arg(long, global = true, value_name = "N", default_value_t = 4)]
    retries: u32,
    /// The wait before the first retry in milliseconds; it doubles each time
    #[arg(long, global = true, value_name = "MS", default_value_t = 500)]
    retry_wait: u64,
    /// Seconds after which a transfer that stands still is broken off
    #[arg(long, global = true, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    stall: u64,
    /// A proxy for all requests but those to this machine itself; `none` ignores the system's
    #[arg(long, global = true, value_name = "URL|none")]
    proxy: Option<String>,
    /// A file (PEM) of further authorities that may vouch for servers; may be given several times
    #[arg(long = "ca", global = true, value_name = "FILE")]
    authorities: Vec<PathBuf>,
    /// A file with a token for the registry; it is sent to that host alone
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Pull(pull::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Search(search::Arguments),
    Verify(verify::Arguments),
    Rm(rm::Arguments),
    Gc(gc::Arguments),
    Du(du::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Lock(lock::Arguments),
    Publish(publish::Arguments),
    Serve(serve::Arguments),
    Keygen(keygen::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// What every subcommand is given.
struct Context<'a> {
    output: &'a Output,
    settings: Settings,
    trust: Trust,
    http: Http,
    allow_expired: bool,
}

/// Runs a command and says how it ended.
pub(crate) fn run(options: Options) -> ExitCode {
    let manner = match (options.common.json, options.common.quiet) {
        (true, _) => Manner::Json,
        (_, true) => Manner::Quiet,
        _ => Manner::People,
    };
    // What was not renamed does not exist yet, and only its temporary file has to go. If there can be
    // no handler, the system ends the process just so.
    let brings = matches!(options.command, Command::Pull(_) | Command::Import(_));
    rddm_zoo::keep_ignored_signals();
    let _ = ctrlc::set_handler(move || interrupted(brings));
    let output = Output::new(manner);
    let result =
        Context::new(options.common, &output).and_then(|context| context.run(options.command));
    let result = result.and_then(|()| output.check());
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

#[allow(clippy::exit, reason = "the one thing to do when the user interrupts")]
fn interrupted(brings: bool) {
    rddm_zoo::discard_unfinished();
    crate::output::interrupted(brings);
    std::process::exit(130);
}

impl<'a> Context<'a> {
    fn new(common: Common, output: &'a Output) -> Result<Self, Error> {
        let folders: Vec<PathBuf> =
            [env::current_dir(), env::current_exe()].into_iter().flatten().collect();
        let registry = common.registry.as_deref();
        let settings = Settings::decide(common.home, registry, |name| env::var_os(name), &folders)?;
        let trust = Trust::given(&common.trust.keys, common.trust.allow_unsigned)?;
        let http = if common.offline {
            Http::offline()
        } else {
            Http::new(http_options(&common.http, &settings)?)
        };
        Ok(Self { output, settings, trust, http, allow_expired: common.trust.allow_expired })
    }

    fn run(&self, command: Command) -> Result<(), Error> {
        match command {
            Command::Pull(arguments) => pull::run(self, arguments),
            Command::List(arguments) => list::run(self, arguments),
            Command::Show(arguments) => show::run(self, arguments),
            Command::Search(arguments) => search::run(self, arguments),
            Command::Verify(arguments) => verify::run(self, arguments),
            Command::Rm(arguments) => rm::run(self, arguments),
            Command::Gc(arguments) => gc::run(self, arguments),
            Command::Du(arguments) => du::run(self, arguments),
            Command::Export(arguments) => export::run(self, arguments),
            Command::Import(arguments) => import::run(self, arguments),
            Command::Lock(arguments) => lock::run(self, arguments),
            Command::Publish(arguments) => publish::run(self, arguments),
            Command::Serve(arguments) => serve::run(self, arguments),
            Command::Keygen(arguments) => keygen::run(self, arguments),
            Command::Completions(arguments) => completions::run(self, arguments),
            Command::Man(arguments) => man::run(self, arguments),
        }
    }

    fn store(&self) -> Result<Store, Error> {
        Ok(Store::open(self.settings.home()?))
    }

    fn access(&self) -> Access<'_> {
        Access {
            trust: &self.trust,
            http: &self.http,
            now: rddm_zoo::now(),
            allow_expired: self.allow_expired,
        }
    }

    /// Tells the output each event.
    fn observer(&self) -> impl Fn(Event) + Sync + '_ {
        |event| self.output.event(event)
    }

    /// Ends a command that went on after errors: says all but the first, which decides how it ends.
    fn end_with(&self, errors: Vec<Error>) -> Result<(), Error> {
        let mut errors = errors.into_iter();
        let first = errors.next();
        for error in errors {
            self.output.error(&error);
        }
        first.map_or(Ok(()), Err)
    }

    /// Does `one` for each model. What is wrong with one of them keeps none of the others out, but a store that
    /// cannot be written does.
    fn each<'m>(
        &self,
        ids: impl IntoIterator<Item = &'m ModelId>,
        one: impl Fn(&ModelId) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut errors = Vec::new();
        for id in ids {
            errors.extend(one(id).err());
            if errors.last().is_some_and(|error| error.kind() == ErrorKind::Store) {
                break;
            }
        }
        self.end_with(errors)
    }

    /// Opens a registry, says so, and remembers its index: no older one is accepted from then on.
    fn open(&self, place: &Place, store: &Store) -> Result<Registry, Error> {
        let registry = Registry::open(place, &self.access(), Some(store), &self.observer())?;
        // Whoever needs a store that can be written will say that this one cannot be.
        let _ = store.remember(&registry, &self.trust);
        Ok(registry)
    }

    /// The registry for looking something up: opened if that is possible, else as remembered.
    fn look_up(&self, store: Option<&Store>) -> Result<Registry, Error> {
        match (&self.settings.registry, store) {
            (Some(place @ Place::Url(_)), Some(store)) if self.http.is_offline() => {
                Registry::remembered(Some(place), store, &self.trust)
            }
            (Some(Place::Folder(folder)), _) => Registry::open_folder(folder, &self.trust),
            (Some(place), store) => Registry::open(place, &self.access(), store, &|_| {}),
            (None, Some(store)) => Registry::remembered(None, store, &self.trust),
            (None, None) => Registry::remembered(None, &Store::open("."), &self.trust),
        }
    }
}

fn http_options(arguments: &HttpArguments, settings: &Settings) -> Result<HttpOptions, Error> {
    let mut options = HttpOptions::default();
    options.retries = arguments.retries;
    options.backoff = Duration::from_millis(arguments.retry_wait);
    options.stall = Duration::from_secs(arguments.stall);
    options.connect = options.connect.min(options.stall);
    options.proxy = match arguments.proxy.as_deref() {
        None => Proxy::System,
        Some("none") => Proxy::None,
        Some(url) => Proxy::Url(url.to_owned()),
    };
    for path in &arguments.authorities {
        options.authorities.push(read_text(path, 1 << 20)?.into_bytes());
    }
    if let Some(path) = &arguments.token_file {
        options.token = Some(Token::new(&read_text(path, 4096)?, settings.registry()?)?);
    }
    Ok(options)
}

/// The names of models; `*` in none of them.
#[derive(Debug, Args)]
struct Names {
    /// Names of models
    #[arg(value_name = "NAME", required = true)]
    names: Vec<ModelId>,
}

/// The password of the signing key; an empty one is none.
fn signing_password() -> Result<Option<String>, Error> {
    match env::var("RDDM_SIGNING_PASSWORD") {
        Ok(password) => Ok((!password.is_empty()).then_some(password)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Error::usage("RDDM_SIGNING_PASSWORD is not a text"))
        }
    }
}

/// Reads a small text file that the user named.
fn read_text(path: &std::path::Path, limit: u64) -> Result<String, Error> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_string(&mut text));
    read.map_err(|error| Error::input(format!("cannot read {}: {error}", path.display())))?;
    if text.len() as u64 > limit {
        return Err(Error::input(format!("{} has more than {limit} bytes", path.display())));
    }
    Ok(text)
}

/// Writes a file that was asked for, which must not exist yet, whole or not at all.
fn write_new(path: &std::path::Path, bytes: &[u8], secret: bool) -> Result<(), Error> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let failed = |error| Error::input(format!("{}: {error}", path.display()));
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // A file that cannot be removed either stays; the error says its name.
        let _ = fs::remove_file(path);
        failed(error)
    })
}
