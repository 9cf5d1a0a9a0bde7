/// Point number `index` of `points` evenly spaced ones from `start` to `end`, bit for bit as PyTorch's `linspace` gives
/// it in f32: the first half counted from the start and the second from the end, each with one rounding.
///
/// `points` is at least 2.
pub(crate) fn linspace(start: f32, end: f32, points: usize, index: usize) -> f32 {
    let width = (end - start) / (points - 1) as f32;
    if index < points / 2 {
        libm::fmaf(width, index as f32, start)
    } else {
        libm::fmaf(-width, (points - index - 1) as f32, end)
    }
}

#[cfg(test)]
mod tests {
    use super::linspace;

    #[test]
    fn ends_are_exact_and_points_are_symmetric() {
        for points in [2, 3, 50, 51] {
            assert_eq!(linspace(-1.0, 999.0, points, 0), -1.0);
            assert_eq!(linspace(-1.0, 999.0, points, points - 1), 999.0);
            for index in 0..points / 2 {
                let mirrored = linspace(-5.0, 5.0, points, points - 1 - index);
                assert_eq!(linspace(-5.0, 5.0, points, index), -mirrored);
            }
        }
    }
}
