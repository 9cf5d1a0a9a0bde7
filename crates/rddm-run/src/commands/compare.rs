//! Input and output in one file: side by side, or as a page with a slider.

use std::path::Path;

use rddm_image::{Depth, EncodeOptions, Format, Picture};

use crate::failure::{Failure, code};

pub(super) fn picture(path: &Path, input: &Picture, output: &Picture) -> Result<(), Failure> {
    let both = rddm_image::side_by_side(&[input, output])?;
    let options = EncodeOptions::default().with_format(Format::Png);
    rddm_image::write(path, &both, &options).map_err(|error| Failure::writing(&error))?;
    Ok(())
}

/// A page that holds both pictures and needs nothing else: no server, no script from elsewhere.
pub(super) fn page(
    path: &Path,
    name: &Path,
    input: &Picture,
    output: &Picture,
) -> Result<(), Failure> {
    let page = include_str!("compare.html")
        .replace("{{width}}", &input.width().to_string())
        .replace("{{height}}", &input.height().to_string())
        .replace("{{before}}", &data_url(input)?)
        .replace("{{after}}", &data_url(output)?)
        // Last: a file may be called as one of the others.
        .replace("{{title}}", &escaped(&name.display().to_string()));
    // Written like a picture: beside its place, then renamed.
    rddm_image::write_bytes(path, page.as_bytes(), true).map_err(|error| Failure::writing(&error))
}

fn data_url(picture: &Picture) -> Result<String, Failure> {
    // No browser shows more than 8 bits, and what the file says of itself is the output's matter.
    let mut shown = picture.clone();
    shown.depth = Depth::Eight;
    shown.metadata.exif = None;
    shown.metadata.xmp = None;
    let options = EncodeOptions::default().with_format(Format::Png);
    let encoded = rddm_image::encode(&shown, &options)
        .map_err(|error| Failure::new(code::UNEXPECTED, error.to_string()))?;
    Ok(format!("data:image/png;base64,{}", base64(&encoded.bytes)))
}

pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place > group.len() {
                out.push('=');
            } else {
                out.push(char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63]));
            }
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_known_values() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
