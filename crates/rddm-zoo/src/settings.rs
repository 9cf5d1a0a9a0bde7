use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{Error, Place};

/// Where the store and the registry are, as the project's commands decide it: an option, then an
/// environment variable, then what the system or the checkout has.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The store's folder; `None` if the system names no place for data.
    pub home: Option<PathBuf>,
    /// The registry; `None` if none was named and no checkout was found.
    pub registry: Option<Place>,
    /// Whether the registry was named, by option or variable.
    pub registry_named: bool,
}

impl Settings {
    /// Decides from the options `home` and `registry`, environment variables as `variable` gives
    /// them (a command passes [`std::env::var_os`]), and the folders of the command: the current
    /// one and the executable's, from which a checkout is looked for upwards.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) if a registry's name is not one.
    pub fn decide(
        home: Option<PathBuf>,
        registry: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
        folders: &[PathBuf],
    ) -> Result<Self, Error> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home =
            home.or_else(|| set("RDDM_HOME").map(PathBuf::from)).or_else(|| data_folder(&set));
        let named = match registry {
            Some(registry) => Some(registry.to_owned()),
            None => match set("RDDM_REGISTRY").map(OsString::into_string) {
                Some(Ok(registry)) => Some(registry),
                Some(Err(_)) => return Err(Error::usage("RDDM_REGISTRY is not a text")),
                None => None,
            },
        };
        let registry_named = named.is_some();
        let registry = match named {
            Some(name) => Some(name.parse()?),
            None => Place::of_checkout(folders.iter().map(PathBuf::as_path)),
        };
        Ok(Self { home, registry, registry_named })
    }

    /// The store's folder.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if there is none.
    pub fn home(&self) -> Result<&Path, Error> {
        self.home.as_deref().ok_or_else(|| {
            Error::new(crate::ErrorKind::Store, "this system names no folder for data")
                .with_next("name a store with --home or RDDM_HOME")
        })
    }

    /// The registry.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is none.
    pub fn registry(&self) -> Result<&Place, Error> {
        self.registry.as_ref().ok_or_else(|| {
            Error::not_found("no registry was named, and this is not a checkout that has one")
                .with_next("name a registry, a folder or URL that holds index.toml: --registry or RDDM_REGISTRY")
        })
    }
}

/// The system's folder for an application's data.
fn data_folder(set: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| set(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("rddm"))
}
