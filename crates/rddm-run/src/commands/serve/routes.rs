//! What can be asked for. `openapi.json` says the same to those who ask.

use hyper::{Method, StatusCode};

use super::answer::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Page,
    OpenApi,
    Models,
    Restore,
}

const ROUTES: [(&str, Method, Route); 4] = [
    ("/", Method::GET, Route::Page),
    ("/api/openapi.json", Method::GET, Route::OpenApi),
    ("/api/models", Method::GET, Route::Models),
    ("/api/restore", Method::POST, Route::Restore),
];

/// The route of a request. What can be read can be asked for by HEAD, too.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, Refusal> {
    let Some((_, allowed, route)) = ROUTES.iter().find(|(known, ..)| *known == path) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path")
            .with_next("/api/openapi.json lists what there is"));
    };
    if method == allowed || (method == Method::HEAD && allowed == Method::GET) {
        return Ok(*route);
    }
    let allow = if allowed == Method::GET { "GET, HEAD" } else { "POST" };
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allow} alone"))
        .allowing(allow))
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
}
