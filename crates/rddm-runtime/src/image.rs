use image::{ColorType, DynamicImage, Rgba, Rgba32FImage};
use ndarray::Array3;

use crate::{Error, ErrorKind, OnProgress, Restorer};

impl Restorer {
    /// Restores a picture of the `image` crate. The result has its size, colour type and depth;
    /// an alpha channel is kept as it is, and grey stays grey.
    ///
    /// # Errors
    /// As [`Restorer::restore`]; [`ErrorKind::Input`] for a model that needs a mask.
    ///
    /// ```no_run
    /// # fn restorer() -> rddm_runtime::Restorer { unimplemented!() }
    /// use rddm_runtime::Control;
    ///
    /// let picture = image::open("rainy.png")?;
    /// let clean = restorer().restore_image(&picture, &mut |_| Control::Continue)?;
    /// clean.save("clean.png")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_image(
        &self,
        picture: &DynamicImage,
        progress: OnProgress<'_>,
    ) -> Result<DynamicImage, Error> {
        let colour = picture.color();
        let seen = picture.to_rgba32f();
        let (width, height) = seen.dimensions();
        let channels = if colour.has_color() { 3 } else { 1 };
        let array = Array3::from_shape_fn(
            (channels, height as usize, width as usize),
            |(channel, y, x)| seen.get_pixel(x as u32, y as u32).0[channel],
        );
        let clean = self.restore(array.view(), None, progress)?;
        let pixel = |x: u32, y: u32| {
            let value = |channel: usize| clean[(channel.min(channels - 1), y as usize, x as usize)];
            Rgba([value(0), value(1), value(2), seen.get_pixel(x, y).0[3]])
        };
        like(colour, Rgba32FImage::from_fn(width, height, pixel))
    }
}

fn like(colour: ColorType, picture: Rgba32FImage) -> Result<DynamicImage, Error> {
    let picture = DynamicImage::ImageRgba32F(picture);
    Ok(match colour {
        ColorType::L8 => picture.to_luma8().into(),
        ColorType::La8 => picture.to_luma_alpha8().into(),
        ColorType::Rgb8 => picture.to_rgb8().into(),
        ColorType::Rgba8 => picture.to_rgba8().into(),
        ColorType::L16 => picture.to_luma16().into(),
        ColorType::La16 => picture.to_luma_alpha16().into(),
        ColorType::Rgb16 => picture.to_rgb16().into(),
        ColorType::Rgba16 => picture.to_rgba16().into(),
        ColorType::Rgb32F => picture.to_rgb32f().into(),
        ColorType::Rgba32F => picture,
        other => {
            let what = format!("pictures of the colour type {other:?} are not known here");
            return Err(Error::new(ErrorKind::Input, what));
        }
    })
}
