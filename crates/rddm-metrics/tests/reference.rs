//! Values of an independent implementation (scikit-image in f64) for two pictures that a
//! formula gives, and the borders of each measure.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ndarray::{Array3, s};
use rddm_metrics::{ErrorKind, mae, psnr_rgb, psnr_y, quantise, ssim_rgb, ssim_y};

fn first() -> Array3<f32> {
    Array3::from_shape_fn((3, 37, 53), |(c, y, x)| ((x * 7 + y * 13 + c * 29) % 101) as f32 / 100.0)
}

fn second() -> Array3<f32> {
    let a = first();
    Array3::from_shape_fn(a.dim(), |(c, y, x)| {
        let other = ((x * 31 + y * 17 + c * 5) % 23) as f32 / 23.0;
        (a[[c, y, x]] * 0.8 + other * 0.15).clamp(0.0, 1.0)
    })
}

fn close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-5, "{value} is not {expected}");
}

#[test]
fn agrees_with_scikit_image() {
    let (a, b) = (first(), second());
    close(ssim_rgb(a.view(), b.view()).unwrap(), 0.957_647_777_763);
    close(ssim_y(a.view(), b.view()).unwrap(), 0.956_011_322_990);
    close(psnr_rgb(a.view(), b.view()).unwrap(), 22.179_683_393_356);
    close(psnr_y(a.view(), b.view()).unwrap(), 27.196_381_013_369);
    close(mae(a.view(), b.view()).unwrap(), 0.063_636_920_252);
}

#[test]
fn equal_pictures_are_perfect() {
    let a = first();
    assert_eq!(psnr_rgb(a.view(), a.view()).unwrap(), f64::INFINITY);
    assert_eq!(mae(a.view(), a.view()).unwrap(), 0.0);
    close(ssim_rgb(a.view(), a.view()).unwrap(), 1.0);
}

#[test]
fn a_grey_picture_counts_as_three_equal_channels() {
    let (a, b) = (first(), second());
    let grey = |p: &Array3<f32>| p.slice(s![0..1, .., ..]).to_owned();
    let wide = |p: &Array3<f32>| p.slice(s![0..1, .., ..]).broadcast(p.dim()).unwrap().to_owned();
    close(
        psnr_y(grey(&a).view(), grey(&b).view()).unwrap(),
        psnr_y(wide(&a).view(), wide(&b).view()).unwrap(),
    );
}

#[test]
fn says_what_it_cannot_measure() {
    let a = first();
    let cropped = a.slice(s![.., 1.., ..]);
    let text = psnr_rgb(a.view(), cropped).unwrap_err();
    assert_eq!(text.kind(), ErrorKind::Shape);
    assert!(text.to_string().contains("53×37") && text.to_string().contains("53×36"), "{text}");

    let small = a.slice(s![.., ..10, ..]);
    assert_eq!(ssim_rgb(small, small).unwrap_err().kind(), ErrorKind::Size);
    let eleven = a.slice(s![.., ..11, ..11]);
    close(ssim_rgb(eleven, eleven).unwrap(), 1.0);

    let two = a.slice(s![..2, .., ..]);
    assert_eq!(psnr_y(two, two).unwrap_err().kind(), ErrorKind::Channels);

    let none = a.slice(s![.., ..0, ..]);
    assert_eq!(psnr_rgb(none, none).unwrap_err().kind(), ErrorKind::Size);

    for bad in [f32::NAN, f32::INFINITY] {
        let mut broken = a.clone();
        broken[[1, 20, 20]] = bad;
        assert_eq!(psnr_rgb(a.view(), broken.view()).unwrap_err().kind(), ErrorKind::NotFinite);
        assert_eq!(ssim_rgb(a.view(), broken.view()).unwrap_err().kind(), ErrorKind::NotFinite);
    }
}

#[test]
fn quantises_as_a_file_does() {
    let a = Array3::from_shape_vec((1, 1, 4), vec![-0.2, 0.5, 1.7, 0.4 / 255.0]).unwrap();
    let expected = Array3::from_shape_vec((1, 1, 4), vec![0.0, 128.0 / 255.0, 1.0, 0.0]).unwrap();
    assert_eq!(quantise(a.view()), expected);
}
