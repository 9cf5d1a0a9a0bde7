/// How large a picture is meant to be, as the heads of PNG, JPEG, TIFF and BMP files say it: scanners and printers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Resolution {
    /// Pixels in a metre of a row, or without [`Resolution::metres`] in whatever the other number counts, too; not 0.
    pub across: u32,
    /// Pixels in a metre of a column, in the same way.
    pub down: u32,
    /// Whether a metre is meant; otherwise the two tell the shape of a pixel alone.
    pub metres: bool,
}

const INCH: f64 = 0.0254;
const CENTIMETRE: f64 = 0.01;

impl Resolution {
    /// Pixels across and down in a length in metres, or a shape of pixels where the length is 0; `None` where a number is none of
    /// these, or all is as where nothing is said.
    pub(crate) fn new(pixels: [f64; 2], length: f64) -> Option<Self> {
        let metres = length > 0.0;
        let [across, down] =
            pixels.map(|count| (if metres { count / length } else { count }).round());
        let whole = |value: f64| (1.0..=f64::from(u32::MAX)).contains(&value);
        let plain = !metres && across == down;
        (whole(across) && whole(down) && !plain).then_some(Self {
            across: across as u32,
            down: down as u32,
            metres,
        })
    }

    pub(crate) fn transposed(self) -> Self {
        Self { across: self.down, down: self.across, ..self }
    }

    /// Pixels in an inch across and down, whole where the numbers come from whole ones.
    fn in_inches(self) -> [f64; 2] {
        [self.across, self.down].map(|count| {
            let exact = f64::from(count) * INCH;
            let whole = exact.round();
            if (whole / INCH).round() == f64::from(count) { whole } else { exact }
        })
    }

    /// From the body of a PNG's `pHYs` chunk (PNG 1.2, 4.2.4.2).
    pub(crate) fn from_png(body: &[u8]) -> Option<Self> {
        let (&[a, b, c, d, e, f, g, h], &[unit]) = body.split_first_chunk::<8>()? else {
            return None;
        };
        let pixels = [[a, b, c, d], [e, f, g, h]].map(|number| u32::from_be_bytes(number).into());
        Self::new(pixels, f64::from(u8::from(unit == 1)))
    }

    pub(crate) fn to_png(self) -> Vec<u8> {
        let (across, down) = (self.across.to_be_bytes(), self.down.to_be_bytes());
        [&across[..], &down, &[u8::from(self.metres)]].concat()
    }

    /// From a JFIF segment behind its name and version (JFIF 1.02): unit, across, down.
    pub(crate) fn from_jfif(segment: &[u8]) -> Option<Self> {
        let &[unit, a, b, c, d, ..] = segment else { return None };
        let length = [0.0, INCH, CENTIMETRE].get(usize::from(unit))?;
        Self::new([[a, b], [c, d]].map(|number| u16::from_be_bytes(number).into()), *length)
    }

    /// Across and down as JFIF has them, in an inch where a length is meant; `None` where 16 bits don't hold them.
    pub(crate) fn to_jfif(self) -> Option<(u16, u16)> {
        let pixels =
            if self.metres { self.in_inches() } else { [self.across, self.down].map(f64::from) };
        let [across, down] = pixels.map(f64::round);
        let holds = |value: f64| (1.0..=f64::from(u16::MAX)).contains(&value);
        (holds(across) && holds(down)).then_some((across as u16, down as u16))
    }

    /// From TIFF's `ResolutionUnit` (TIFF 6.0, section 8), and `XResolution` and `YResolution`.
    pub(crate) fn from_tiff(unit: u32, pixels: [f64; 2]) -> Option<Self> {
        let length = [0.0, INCH, CENTIMETRE].get(unit.checked_sub(1)? as usize)?;
        Self::new(pixels, *length)
    }

    /// Across and down as fractions, in an inch where a length is meant.
    pub(crate) fn to_tiff(self) -> [(u32, u32); 2] {
        if !self.metres {
            return [(self.across, 1), (self.down, 1)];
        }
        self.in_inches().map(|count| {
            let parts = if count.fract() == 0.0 { 1 } else { 1000 };
            ((count * f64::from(parts)).round() as u32, parts)
        })
    }
}
