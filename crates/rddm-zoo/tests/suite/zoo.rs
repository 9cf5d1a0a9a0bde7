//! A small zoo of one model, signed with a key of its own, and the command run on it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use rddm_manifest::{Digest, Index};
use rddm_zoo::{KeyPair, PublishOptions, SigningKey, publish};
use tempfile::TempDir;

/// The bytes of the model's one network.
pub(crate) const SIZE: usize = 300_000;

/// Numbers that look random and are the same each time.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Noise behind the byte that an ONNX file begins with.
pub(crate) fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let noise = (1..size).map(|_| numbers.next().to_le_bytes()[3]);
    std::iter::once(8).chain(noise).collect()
}

pub(crate) fn keys() -> &'static KeyPair {
    static KEYS: OnceLock<KeyPair> = OnceLock::new();
    KEYS.get_or_init(|| KeyPair::generate(None).unwrap())
}

pub(crate) fn public_key() -> &'static str {
    keys().public.lines().nth(1).unwrap()
}

/// A folder with `zoo/derain`, `manifests/` and room for stores.
pub(crate) struct Zoo {
    pub(crate) root: TempDir,
}

impl Zoo {
    pub(crate) fn new() -> Self {
        Self::with(&noise(SIZE, 1))
    }

    pub(crate) fn with(network: &[u8]) -> Self {
        let zoo = Self { root: tempfile::tempdir().unwrap() };
        let model = zoo.path("zoo/derain");
        fs::create_dir_all(&model).unwrap();
        fs::write(model.join("model.toml"), DRAFT).unwrap();
        fs::write(model.join("recipe.toml"), "seed = 1\n").unwrap();
        fs::write(model.join("derain.onnx"), network).unwrap();
        zoo.publish(rddm_zoo::now().unix(), 365);
        zoo
    }

    /// Adds `derain-too`, a model with the same network.
    pub(crate) fn add_another(&self) {
        let other = self.path("zoo/derain-too");
        fs::create_dir(&other).unwrap();
        let draft = DRAFT.replacen("id = \"derain\"", "id = \"derain-too\"", 1);
        fs::write(other.join("model.toml"), draft).unwrap();
        fs::write(other.join("recipe.toml"), "").unwrap();
        fs::write(other.join("derain.onnx"), self.network()).unwrap();
        self.publish(rddm_zoo::now().unix(), 365);
    }

    /// Gives `derain` another network, and its next version.
    pub(crate) fn renew(&self, network: &[u8]) {
        let model = self.path("zoo/derain/model.toml");
        let draft = fs::read_to_string(&model).unwrap();
        let next = draft.replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1);
        assert_ne!(next, draft);
        fs::write(model, next).unwrap();
        fs::write(self.path("zoo/derain/derain.onnx"), network).unwrap();
    }

    pub(crate) fn publish(&self, now: u64, days: u32) -> u64 {
        self.publish_after(0, now, days)
    }

    /// Publishes an index that expired yesterday.
    pub(crate) fn expire(&self) {
        let index = self.path("manifests/index.toml");
        let before = Index::parse(&fs::read_to_string(&index).unwrap()).unwrap();
        // Over one that is newer it would be refused.
        fs::remove_file(index).unwrap();
        self.publish_after(before.version, rddm_zoo::now().unix() - 10 * 24 * 3600, 9);
    }

    fn publish_after(&self, after: u64, now: u64, days: u32) -> u64 {
        let key = SigningKey::parse(&keys().secret, None).unwrap();
        let options = PublishOptions {
            zoo: &self.path("zoo"),
            registry: &self.path("manifests"),
            key: Some(&key),
            now: rddm_manifest::Timestamp::from_unix(now),
            days,
            renew: true,
            check: None,
            allow_expired: false,
            after,
            set_back: false,
            retire: &[],
            empty: false,
        };
        publish(&options).unwrap().index.version
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn network(&self) -> Vec<u8> {
        fs::read(self.path("zoo/derain/derain.onnx")).unwrap()
    }

    pub(crate) fn home(&self) -> Home {
        Home(self.path("home"))
    }
}

pub(crate) const DRAFT: &str = include_str!("../../../rddm-manifest/tests/draft.toml");

/// A store as its files show it.
#[derive(Debug, Clone)]
pub(crate) struct Home(pub(crate) PathBuf);

impl Home {
    /// All files below a folder of the store, by path.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<PathBuf, u64> {
        let mut files = BTreeMap::new();
        walk(&self.0.join(folder), &mut files);
        files
    }

    /// The library does not hand out the model either, since its bytes are wrong.
    pub(crate) fn assert_not_resolved(&self, model: &str) {
        let mut options = rddm_zoo::ResolveOptions::default();
        options.home = Some(self.0.clone());
        let error = rddm_zoo::resolve(&model.parse().unwrap(), &options).unwrap_err();
        assert_eq!(error.kind(), rddm_zoo::ErrorKind::Verification);
    }

    /// Every blob has the bytes that its name says; every name means a manifest and networks that
    /// are all there.
    pub(crate) fn assert_sound(&self) {
        for path in self.files("blobs").keys() {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with(".new-") {
                continue;
            }
            assert_eq!(Digest::of(&fs::read(path).unwrap()).hex(), name, "{}", path.display());
        }
        let store = rddm_zoo::Store::open(&self.0);
        for id in store.models().unwrap() {
            rddm_zoo::verify(&id, &store, &|_| {}).unwrap();
        }
    }

    pub(crate) fn assert_nothing(&self) {
        for folder in ["blobs", "models", "partial"] {
            assert_eq!(self.files(folder), BTreeMap::new(), "{folder}");
        }
    }

    /// Nothing but a part of the network is there, and it is its beginning.
    pub(crate) fn assert_part(&self, network: &[u8]) -> usize {
        assert_eq!(self.files("blobs"), BTreeMap::new());
        assert_eq!(self.files("models"), BTreeMap::new());
        let part = fs::read(self.part(network)).unwrap();
        assert_eq!(part, &network[..part.len()]);
        part.len()
    }

    /// The model is there and good, and no part is left.
    pub(crate) fn assert_whole(&self, network: &[u8]) {
        self.assert_sound();
        assert_eq!(fs::read(self.blob(network)).unwrap(), network);
        assert_eq!(self.files("partial"), BTreeMap::new());
        assert!(self.0.join("models/derain.toml").is_file());
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> PathBuf {
        let hex = Digest::of(bytes).hex();
        self.0.join("blobs/sha256").join(&hex[..2]).join(hex)
    }

    pub(crate) fn part(&self, network: &[u8]) -> PathBuf {
        self.0.join("partial").join(format!("{}.part", Digest::of(network).hex()))
    }

    /// Puts a part where an earlier download would have left it; `tag` is an entity tag and the URL
    /// that had it.
    pub(crate) fn leave_part(&self, network: &[u8], part: &[u8], tag: Option<(&str, &str)>) {
        let path = self.part(network);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, part).unwrap();
        if let Some((tag, url)) = tag {
            fs::write(path.with_extension("tag"), format!("{tag}\n{url}")).unwrap();
        }
    }
}

fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), files);
        } else {
            files.insert(entry.path(), entry.metadata().unwrap().len());
        }
    }
}

/// Says that a test is skipped, loudly, and fails where nothing may be.
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var_os("CI").is_none(), "{why}");
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.out, self.err);
        self
    }
}

/// The command with nothing of this process's environment that it reads.
pub(crate) fn rddm_zoo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rddm-zoo"));
    for name in ["RDDM_HOME", "RDDM_REGISTRY", "RDDM_SIGNING_KEY", "RDDM_SIGNING_PASSWORD"] {
        command.env_remove(name);
    }
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::null());
    command
}

pub(crate) fn finish(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Few and quick retries, so that tests are quick.
const QUICK: [&str; 6] = ["--retries", "2", "--retry-wait", "1", "--stall", "5"];

/// The command `pull derain` from `registry` into `home`, checked with the zoo's own key.
pub(crate) fn pulling(zoo: &Zoo, registry: &str, home: &Home, more: &[&str]) -> Command {
    let mut command = rddm_zoo(zoo.root.path());
    command.args(["pull", "derain", "--registry", registry, "--key", public_key(), "--home"]);
    command.arg(&home.0);
    for pair in QUICK.chunks(2).filter(|pair| !more.contains(&pair[0])) {
        command.args(pair);
    }
    command.args(more);
    command
}

pub(crate) fn pull(zoo: &Zoo, registry: &str, home: &Home, more: &[&str]) -> Outcome {
    finish(&mut pulling(zoo, registry, home, more))
}
