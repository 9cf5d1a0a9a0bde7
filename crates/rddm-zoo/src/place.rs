use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use rddm_manifest::Location;
use reqwest::Url;

use crate::{Error, store::folder_of};

/// Where a registry is: a folder, or a URL that holds the same files. Both have `index.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
    /// An `https:` or `http:` URL; it ends with `/`.
    Url(Url),
}

/// Where one file of a registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Url(Url),
}

/// The index's file in a registry.
pub(crate) const INDEX: &str = "index.toml";
/// Its signature, beside it.
pub(crate) const SIGNATURE: &str = "index.toml.minisig";

impl Place {
    /// The `manifests` folder of the checkout that one of `starts` lies in, nearest first.
    pub fn of_checkout<'a>(starts: impl IntoIterator<Item = &'a Path>) -> Option<Self> {
        starts
            .into_iter()
            .flat_map(Path::ancestors)
            .map(|folder| folder.join("manifests"))
            .find(|folder| folder.join(INDEX).is_file())
            .map(Self::Folder)
    }

    /// The same place by its full name, which means the same from every folder.
    pub(crate) fn full(&self) -> Self {
        match self {
            Self::Folder(folder) => {
                Self::Folder(folder.canonicalize().unwrap_or_else(|_| folder.clone()))
            }
            Self::Url(_) => self.clone(),
        }
    }

    /// A file inside the registry's folder.
    pub(crate) fn file(&self, path: &str) -> Result<Source, Error> {
        match self {
            Self::Folder(folder) => Ok(Source::File(folder.join(path))),
            Self::Url(url) => url
                .join(path)
                .map(Source::Url)
                .map_err(|error| Error::network(format!("{url}{path}: {error}"))),
        }
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            Err(Error::usage(format!("`{}` cannot be a registry: {why}", text.escape_debug())))
        };
        if text.is_empty() {
            return refused("it is empty");
        }
        let Some((scheme, _)) = text.split_once("://") else {
            // The index's own name means its folder, as in a URL.
            let path = Path::new(text);
            let is_index = path.file_name().is_some_and(|name| name == INDEX) && !path.is_dir();
            return Ok(Self::Folder(if is_index { folder_of(path) } else { path }.to_owned()));
        };
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            return refused("a registry is a folder or a URL of http or https");
        }
        let trimmed = text.strip_suffix(INDEX).unwrap_or(text).trim_end_matches('/');
        let Ok(url) = Url::parse(&format!("{trimmed}/")) else {
            return refused("it is not a URL");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("a URL has no user and no password; give a token with --token-file");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("its URL has a query or a fragment");
        }
        Ok(Self::Url(url))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

impl Source {
    /// The place that `location`, written in the file at `self`, means.
    ///
    /// # Errors
    /// If an `https:` text names an `http:` place.
    pub(crate) fn join(&self, location: &Location) -> Result<Self, Error> {
        let parse = |text: &str| {
            Url::parse(text).map_err(|error| Error::verification(format!("{text}: {error}")))
        };
        match self {
            Self::File(file) if location.is_relative() => {
                let folder = file.parent().unwrap_or(Path::new(""));
                match location.as_str().strip_prefix("../") {
                    None => Ok(Self::File(folder.join(location.as_str()))),
                    // The real parent, also if the folder is reached through a link.
                    Some(rest) => {
                        let real = folder
                            .canonicalize()
                            .map_err(|error| Error::file("open", folder, &error))?;
                        Ok(Self::File(real.parent().unwrap_or(&real).join(rest)))
                    }
                }
            }
            Self::File(_) => parse(location.as_str()).map(Self::Url),
            Self::Url(url) => {
                let joined = url
                    .join(location.as_str())
                    .map_err(|error| Error::verification(format!("{url}: {location}: {error}")))?;
                if url.scheme() == "https" && joined.scheme() != "https" {
                    return Err(Error::verification(format!(
                        "{url} names {joined}, which is not https"
                    )));
                }
                Ok(Self::Url(joined))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}
