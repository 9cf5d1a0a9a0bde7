//! Between stored values and light (IEC 61966-2-1, sRGB).

/// Light of a stored value, both in [0, 1].
pub(crate) fn to_linear(stored: f32) -> f32 {
    if stored <= 0.04045 { stored / 12.92 } else { ((stored + 0.055) / 1.055).powf(2.4) }
}

/// Stored value of a light, which is first brought into [0, 1].
pub(crate) fn to_stored(light: f32) -> f32 {
    let light = light.clamp(0.0, 1.0);
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ways_are_inverse() {
        for value in 0..=255_u8 {
            let stored = f32::from(value) / 255.0;
            assert!((to_stored(to_linear(stored)) - stored).abs() < 1e-6);
        }
        assert!((to_linear(0.5) - 0.214_041).abs() < 1e-5);
    }
}
