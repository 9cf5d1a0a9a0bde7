//! Files that are not what an encoder would write.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test may panic, and each suite uses a part of this"
)]

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use ndarray::Array3;
use rddm_image::{EncodeOptions, Format, Picture, encode};

/// A grey PNG with some chunks between its header and its pixels.
pub fn png(width: u32, height: u32, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::fast());
    pixels.write_all(&vec![0; (width as usize + 1) * height as usize]).unwrap();
    let first = [(b"IHDR", header)];
    let last = [(b"IDAT", pixels.finish().unwrap()), (b"IEND", Vec::new())];
    for (name, body) in first.iter().chain(chunks).chain(&last) {
        file.extend(chunk(name, body));
    }
    file
}

/// A PNG with some chunks more between its pixels and its end.
pub fn behind_pixels(png: &[u8], chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let (file, end) = png.split_at(png.len() - 12);
    let chunks = chunks.iter().flat_map(|(name, body)| chunk(name, body));
    [file, &chunks.collect::<Vec<u8>>(), end].concat()
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(body);
    let length = (body.len() as u32).to_be_bytes();
    [&length[..], name, body, &crc.sum().to_be_bytes()].concat()
}

/// A file that says that it is larger than it is.
pub fn claim(format: Format, [width, height]: [u32; 2]) -> Vec<u8> {
    let picture = Picture::new(Array3::from_elem((3, 10, 10), 0.5));
    let options = EncodeOptions::default().with_format(format);
    let mut file = encode(&picture, &options).unwrap().bytes;
    match format {
        Format::Png => {
            file[16..20].copy_from_slice(&width.to_be_bytes());
            file[20..24].copy_from_slice(&height.to_be_bytes());
            let mut crc = flate2::Crc::new();
            crc.update(&file[12..29]);
            file[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        }
        Format::Jpeg => {
            let frame = file.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
            for (at, side) in [(5, height), (7, width)] {
                let side = u16::try_from(side).unwrap();
                file[frame + at..][..2].copy_from_slice(&side.to_be_bytes());
            }
        }
        Format::Tiff => {
            let directory = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
            for (tag, side) in [(256_u16, width), (257, height)] {
                let found = (0..20)
                    .map(|entry| directory + 2 + 12 * entry)
                    .find(|&at| file[at..at + 2] == tag.to_le_bytes())
                    .unwrap();
                file[found + 8..][..4].copy_from_slice(&side.to_le_bytes());
            }
        }
        Format::Bmp => {
            file[18..22].copy_from_slice(&width.to_le_bytes());
            file[22..26].copy_from_slice(&height.to_le_bytes());
        }
        _ => {
            // VP8L: a signature, then 14 bits of each side less one.
            assert_eq!(&file[12..16], b"VP8L");
            let kept = u32::from_le_bytes(file[21..25].try_into().unwrap()) & !0x0fff_ffff;
            let bits = (width - 1) | (height - 1) << 14;
            file[21..25].copy_from_slice(&(bits | kept).to_le_bytes());
        }
    }
    file
}
