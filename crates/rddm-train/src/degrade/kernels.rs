//! Blur by kernels that were measured: pictures of what a point of light became.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, s};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blur::blurred;
use super::{Degradation, Degraded};
use crate::data::{files, upright};
use crate::error::Error;

/// A blur by one of a folder's kernels, each as likely as the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelBlur {
    /// Folder of the kernels, below the data folder: pictures of what became of a point of light in their middle, grey of 8 or
    /// 16 bits, linear in the light, sides of at most 129 pixels. The middle of an even number of rows or columns is the one
    /// after the half: of four the third.
    pub kernels: PathBuf,
}

const MOST_SIDE: usize = 129;

impl KernelBlur {
    pub(super) fn read(&self, data: &Path) -> Result<Measured, Error> {
        let paths = files(&data.join(&self.kernels))?;
        Ok(Measured(paths.iter().map(|path| kernel(path)).collect::<Result<_, _>>()?))
    }
}

/// The weights that a pixel takes its neighbours with, of sum 1, in a square of odd side.
fn kernel(path: &Path) -> Result<Array2<f32>, Error> {
    let picture = upright(path)?.into_luma16();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    if width.max(height) > MOST_SIDE {
        let problem = format!("a kernel of {width}×{height} pixels; at most {MOST_SIDE} a side");
        return Err(Error::data(path, problem));
    }
    let light: f32 = picture.pixels().map(|pixel| f32::from(pixel.0[0])).sum();
    if light == 0.0 {
        return Err(Error::data(path, "a kernel without light: all its pixels are black"));
    }
    let reach = (width / 2).max(height / 2);
    let mut kernel = Array2::zeros((2 * reach + 1, 2 * reach + 1));
    for (x, y, pixel) in picture.enumerate_pixels() {
        let at = (y as usize + reach - height / 2, x as usize + reach - width / 2);
        kernel[at] = f32::from(pixel.0[0]) / light;
    }
    // Light that goes to the right comes from the left.
    Ok(kernel.slice(s![..;-1, ..;-1]).to_owned())
}

/// Kernels in memory.
pub(super) struct Measured(Vec<Array2<f32>>);

impl Degradation for Measured {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        blurred(clean, self.0[random.random_range(0..self.0.len())].view()).into()
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};
    use rand::SeedableRng;

    use super::super::light::to_linear;
    use super::*;

    fn one(picture: &GrayImage) -> Result<Measured, Error> {
        let folder = tempfile::tempdir().unwrap();
        picture.save(folder.path().join("1.png")).unwrap();
        KernelBlur { kernels: ".".into() }.read(folder.path())
    }

    fn point_becomes(kernel: &GrayImage) -> Array2<f32> {
        let mut dark = Array3::zeros((3, 9, 9));
        dark.slice_mut(s![.., 4, 4]).fill(1.0);
        let blur = one(kernel).unwrap();
        let blurred = blur.degrade(&dark, &mut ChaCha8Rng::seed_from_u64(1)).picture;
        blurred.slice(s![0, .., ..]).mapv(to_linear)
    }

    #[test]
    fn a_point_of_light_becomes_the_kernel() {
        let mut kernel = GrayImage::new(5, 3);
        kernel.put_pixel(4, 1, Luma([150]));
        kernel.put_pixel(2, 0, Luma([50]));
        let light = point_becomes(&kernel);
        assert!((light[(4, 6)] - 0.75).abs() < 1e-4, "{light}");
        assert!((light[(3, 4)] - 0.25).abs() < 1e-4, "{light}");
        assert!((light.sum() - 1.0).abs() < 1e-4);
    }

    #[test]
    fn the_third_of_four_rows_is_the_middle() {
        let mut kernel = GrayImage::new(1, 4);
        kernel.put_pixel(0, 2, Luma([9]));
        assert!((point_becomes(&kernel)[(4, 4)] - 1.0).abs() < 1e-4);
    }

    #[test]
    fn what_is_no_kernel_is_refused_by_its_name() {
        for (picture, says) in
            [(GrayImage::new(3, 3), "without light"), (GrayImage::new(3, 131), "3×131")]
        {
            let error = one(&picture).err().expect("refused").to_string();
            assert!(error.contains("1.png") && error.contains(says), "{error}");
        }
    }
}
