//! Several files in one body: `multipart/form-data` (RFC 7578), of which no more is understood than a
//! picture and a mask need. The body is in memory, and its parts are slices of it.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;

use crate::failure::Failure;

/// The files of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Files<'b> {
    pub(super) picture: &'b [u8],
    pub(super) mask: Option<&'b [u8]>,
}

/// How a body holds its files.
#[derive(Debug)]
pub(super) enum Form {
    /// It is the picture.
    Plain,
    /// What is between its parts.
    Parts { delimiter: Vec<u8> },
}

impl Form {
    /// The form that a request says its body has.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let mut words = kind.split(';').map(str::trim);
        if !words.next().is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data")) {
            return Ok(Self::Plain);
        }
        let boundary = words.find_map(|word| parameter(word, "boundary"));
        match boundary.filter(|boundary| (1..=70).contains(&boundary.len())) {
            Some(boundary) => Ok(Self::Parts { delimiter: format!("\r\n--{boundary}").into() }),
            None => Err(Failure::usage("the form's Content-Type has no boundary of 1 to 70 bytes")),
        }
    }

    /// The files of a body. A part with another name, or there twice, is an error.
    pub(super) fn files<'b>(&self, body: &'b [u8]) -> Result<Files<'b>, Failure> {
        let Self::Parts { delimiter } = self else {
            return Ok(Files { picture: body, mask: None });
        };
        let (mut picture, mut mask) = (None, None);
        // The first delimiter has no line before it.
        let mut rest = body.strip_prefix(&delimiter[2..]).ok_or_else(broken)?;
        while !rest.starts_with(b"--") {
            let part = rest.strip_prefix(b"\r\n").ok_or_else(broken)?;
            let (head, part) = split(part, b"\r\n\r\n").ok_or_else(broken)?;
            let (content, after) = split(part, delimiter).ok_or_else(broken)?;
            let name =
                name(head).ok_or_else(|| Failure::usage("a part of the form has no name"))?;
            let place = match name {
                "picture" => &mut picture,
                "mask" => &mut mask,
                _ => {
                    return Err(Failure::usage(format!("the form has no place for {name:?}"))
                        .with_next("name its parts picture and mask"));
                }
            };
            if place.replace(content).is_some() {
                return Err(Failure::usage(format!("the form's part {name} is there twice")));
            }
            rest = after;
        }
        let picture = picture.ok_or_else(|| Failure::usage("the form has no part picture"))?;
        Ok(Files { picture, mask })
    }
}

/// The name in the head of a part.
fn name(head: &[u8]) -> Option<&str> {
    let head = std::str::from_utf8(head).ok()?;
    head.split("\r\n").find_map(|line| {
        let (field, value) = line.split_once(':')?;
        let named = field.eq_ignore_ascii_case("content-disposition");
        value.split(';').filter(|_| named).find_map(|word| parameter(word.trim(), "name"))
    })
}

/// The value of `name=value`, with or without quotes.
fn parameter<'t>(word: &'t str, name: &str) -> Option<&'t str> {
    let (key, value) = word.split_once('=')?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(quoted.unwrap_or(value)).filter(|_| key.eq_ignore_ascii_case(name))
}

/// What is before and after the first place of some bytes.
fn split<'b>(text: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let mut from = 0;
    while let Some(found) = text[from..].iter().position(|byte| *byte == at[0]) {
        from += found;
        if let Some(after) = text[from..].strip_prefix(at) {
            return Some((&text[..from], after));
        }
        from += 1;
    }
    None
}

fn broken() -> Failure {
    Failure::usage("the form is broken, or ends before its last boundary")
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn form(kind: &str) -> Result<Form, Failure> {
        Form::of(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap())]))
    }

    fn read(body: &str) -> Result<Files<'_>, String> {
        let form = form("multipart/form-data; boundary=edge").unwrap();
        form.files(body.as_bytes()).map_err(|failure| failure.what)
    }

    #[test]
    fn parts_are_what_is_between_the_boundaries() {
        let body = "--edge\r\nContent-Disposition: form-data; name=\"mask\"; filename=\"a;name=b\"\r\n\
                    Content-Type: image/png\r\n\r\n\r\n--edg\r\r\n\r\n--edge\r\n\
                    content-disposition: form-data;name=picture\r\n\r\n\r\n--edge--\r\nwhatever";
        let files = Files { picture: b"", mask: Some(b"\r\n--edg\r\r\n") };
        assert_eq!(read(body), Ok(files));
        let alone =
            "--edge\r\nContent-Disposition: form-data; name=\"picture\"\r\n\r\nx\r\n--edge--";
        assert_eq!(read(alone), Ok(Files { picture: b"x", mask: None }));
        // Wherever it is cut, it is no form any more.
        for end in 0..alone.len() {
            assert!(read(&alone[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_is_no_form_of_a_picture_is_refused() {
        let part =
            |name: &str| format!("--edge\r\nContent-Disposition: form-data{name}\r\n\r\nx\r\n");
        let [picture, mask, other] =
            ["; name=\"picture\"", "; name=\"mask\"", "; name=\"other\""].map(part);
        for (body, word) in [
            ("--edge--".to_owned(), "no part picture"),
            (format!("{mask}--edge--"), "no part picture"),
            (format!("{picture}{picture}--edge--"), "twice"),
            (format!("{picture}{other}--edge--"), "other"),
            (format!("{}--edge--", part("")), "no name"),
            (format!("\r\n{picture}--edge--"), "broken"),
            ("no form at all".to_owned(), "broken"),
        ] {
            let what = read(&body).unwrap_err();
            assert!(what.contains(word), "{body}: {what}");
        }
    }

    #[test]
    fn the_form_is_told_by_the_content_type() {
        let read = |kind: &str| match form(kind) {
            Ok(Form::Plain) => "plain".to_owned(),
            Ok(Form::Parts { delimiter }) => String::from_utf8(delimiter).unwrap(),
            Err(failure) => failure.what,
        };
        for plain in ["image/png", "application/x-www-form-urlencoded", "multipart/mixed", ""] {
            assert_eq!(read(plain), "plain", "{plain}");
        }
        assert_eq!(read("Multipart/Form-Data; charset=x; Boundary=\"a'b\""), "\r\n--a'b");
        for bad in ["multipart/form-data", "multipart/form-data; boundary="] {
            assert!(read(bad).contains("boundary"), "{bad}");
        }
        assert!(matches!(Form::of(&HeaderMap::new()), Ok(Form::Plain)));
    }
}
