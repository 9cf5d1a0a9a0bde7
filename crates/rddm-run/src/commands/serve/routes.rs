//! What can be asked for. `openapi.json` says the same to those who ask.

use hyper::{Method, StatusCode};

use super::answer::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Page,
    OpenApi,
    Models,
    Restore,
    Progress,
    Cancel,
}

/// `{id}` at the end of a path stands for anything that follows.
const ID: &str = "{id}";

const ROUTES: [(&str, Method, Route); 6] = [
    ("/", Method::GET, Route::Page),
    ("/api/openapi.json", Method::GET, Route::OpenApi),
    ("/api/models", Method::GET, Route::Models),
    ("/api/restore", Method::POST, Route::Restore),
    ("/api/restore/{id}", Method::GET, Route::Progress),
    ("/api/restore/{id}", Method::DELETE, Route::Cancel),
];

/// The route of a request, and what stands for `{id}` in its path. What can be read can be asked for by
/// HEAD, too.
pub(super) fn find<'p>(method: &Method, path: &'p str) -> Result<(Route, &'p str), Refusal> {
    let mut allowed = Vec::new();
    for (known, taken, route) in &ROUTES {
        let Some(id) = matched(known, path) else { continue };
        if method == taken || (method == Method::HEAD && taken == Method::GET) {
            return Ok((*route, id));
        }
        allowed.push(if taken == Method::GET { "GET, HEAD" } else { taken.as_str() });
    }
    if allowed.is_empty() {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path")
            .with_next("/api/openapi.json lists what there is"));
    }
    let allow = allowed.join(", ");
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allow} alone"))
        .allowing(allow))
}

fn matched<'p>(known: &str, path: &'p str) -> Option<&'p str> {
    match known.strip_suffix(ID) {
        Some(before) => path.strip_prefix(before).filter(|id| !id.is_empty()),
        None => (known == path).then_some(""),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The text names every route, and no other.
    #[test]
    fn the_openapi_text_has_every_route() {
        let text: serde_json::Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let documented: BTreeSet<(String, String)> = text["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(|method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        let known = ROUTES.iter().map(|(path, method, _)| (path.to_string(), method.to_string()));
        assert_eq!(documented, known.collect());
    }

    #[test]
    fn an_id_is_all_that_follows() {
        assert_eq!(find(&Method::HEAD, "/api/restore/a/b").unwrap(), (Route::Progress, "a/b"));
        assert_eq!(find(&Method::DELETE, "/api/restore/a").unwrap(), (Route::Cancel, "a"));
        assert!(find(&Method::GET, "/api/restore/").is_err());
        assert_eq!(find(&Method::POST, "/api/restore").unwrap(), (Route::Restore, ""));
    }
}
