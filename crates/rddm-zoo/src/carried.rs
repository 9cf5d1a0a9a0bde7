//! The index that the program carries: the one of the checkout that it was built in. It says
//! which models there are when there is no registry at hand, and which version of the zoo's index
//! is too old to be believed.

use crate::{Error, Place, Registry, Trust};

/// Empty where the checkout had none.
const INDEX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/index.toml"));
const SIGNATURE: &str = include_str!(concat!(env!("OUT_DIR"), "/index.toml.minisig"));

/// Where its registry says that it is: there are no manifests beside it.
const PLACE: &str = "(carried)";
/// What a user does who needs more.
const NEXT: &str = "name a registry, a folder or URL, with --registry or RDDM_REGISTRY";

/// The error where `what` is asked of the carried registry, which has nothing beside its index; `None` of other places.
pub(crate) fn lacks(place: &Place, what: &str) -> Option<Error> {
    let carried = matches!(place, Place::Folder(folder) if folder.as_os_str() == PLACE);
    let text = || format!("this program carries the names of the models, and not {what}");
    carried.then(|| Error::not_found(text()).with_next(NEXT))
}

/// # Errors
/// If the program carries none, or not one of this zoo's keys signed it.
pub(crate) fn registry() -> Result<Registry, Error> {
    if INDEX.is_empty() {
        return Err(Error::not_found("this program carries no index").with_next(NEXT));
    }
    let signature = (!SIGNATURE.is_empty()).then(|| SIGNATURE.to_owned());
    Registry::from_parts(Place::Folder(PLACE.into()), INDEX.to_vec(), signature, &Trust::Pinned)
}
