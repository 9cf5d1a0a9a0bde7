//! Pictures of the `image` crate keep what they are.
#![cfg(feature = "image")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, Rgb, Rgba, RgbaImage};
use rddm_runtime::{Control, Restorer};
use support::Model;

fn restored(picture: &DynamicImage, strength: f32) -> DynamicImage {
    let model = Model::joint();
    let manifest = model.manifest();
    let restorer = Restorer::builder(&manifest).strength(strength).build(model.files()).unwrap();
    restorer.restore_image(picture, &mut |_| Control::Continue).unwrap()
}

#[test]
fn colour_type_depth_and_alpha_are_kept() {
    let at = |x: u32, y: u32| (x * 9 + y * 5) as u8;
    let pictures: [DynamicImage; 4] = [
        GrayImage::from_fn(17, 9, |x, y| [at(x, y)].into()).into(),
        GrayAlphaImage::from_fn(17, 9, |x, y| [at(x, y), at(y, x)].into()).into(),
        RgbaImage::from_fn(17, 9, |x, y| Rgba([at(x, y), at(y, x), 7, at(x, x)])).into(),
        ImageBuffer::from_fn(17, 9, |x, y| Rgb([1_u16, u16::from(at(x, y)) * 257, 40_000])).into(),
    ];
    for picture in &pictures {
        let clean = restored(picture, 1.0);
        assert_eq!(clean.color(), picture.color());
        assert_eq!((clean.width(), clean.height()), (17, 9));
        assert_ne!(clean.as_bytes(), picture.as_bytes(), "it was restored");
        let (before, after) = (picture.to_rgba16(), clean.to_rgba16());
        assert!(before.pixels().zip(after.pixels()).all(|(a, b)| a.0[3] == b.0[3]));
        // Nothing of the restoration applied: the way there and back loses nothing.
        assert_eq!(restored(picture, 0.0).as_bytes(), picture.as_bytes(), "{:?}", picture.color());
    }
}
