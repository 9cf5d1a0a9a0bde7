/// Standard normal noise whose value depends on seed, draw, channel and position only.
///
/// A picture gets the same noise whether it is drawn whole, by tiles, by rows or by many threads, and on every
/// machine. One block of Philox gives the four values of the positions `4k … 4k + 3` of a row, by Box and Muller's
/// transform in f64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoiseField {
    philox: Philox,
}

impl NoiseField {
    /// No value is farther from 0: `√(-2 ln 2⁻³³)`, rounded up.
    pub const LARGEST: f32 = 6.764;

    /// The field of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { philox: Philox::new([seed as u32, (seed >> 32) as u32]) }
    }

    /// Fills a run of a row: `out[i]` is the noise at column `x0 + i` of row `y` of `channel`, in draw number `draw`.
    ///
    /// Draw 0 is the start's; the sampler's draws follow ([`crate::Step::draw`]). Of row, column / 4 and channel the low
    /// 32 bits count.
    #[inline(always)]
    pub fn fill(&self, draw: u32, channel: usize, y: usize, x0: usize, out: &mut [f32]) {
        let (row, channel) = (y as u32, channel as u32);
        let mut normals = [[0.0; 4]; BLOCKS];
        let mut x = x0;
        let mut rest = out;
        while !rest.is_empty() {
            let lane = x % 4;
            let count = (4 * BLOCKS - lane).min(rest.len());
            self.normals([(x / 4) as u32, row, channel, draw], &mut normals);
            let (head, tail) = rest.split_at_mut(count);
            head.copy_from_slice(&normals.as_flattened()[lane..lane + count]);
            rest = tail;
            x += count;
        }
    }

    /// The values of a counter's block and of those that follow it in the row.
    ///
    /// Sums and products in f64, and a root, in one order: the same bits on every machine. The error is a few units in the
    /// last place of f64, far below one of f32.
    #[inline(always)]
    fn normals(&self, counter: [u32; 4], out: &mut [[f32; 4]; BLOCKS]) {
        let words: [[u32; BLOCKS]; 4] = self.philox.blocks(counter);
        for (pair, [a, b]) in
            [[&words[0], &words[1]], [&words[2], &words[3]]].into_iter().enumerate()
        {
            // A processor with vectors does several at a time of each loop.
            let mut radius = [0.0; BLOCKS];
            for (radius, word) in radius.iter_mut().zip(a) {
                *radius = -2.0 * logarithm(middle(*word));
            }
            for radius in &mut radius {
                *radius = libm::sqrt(*radius);
            }
            for lane in 0..BLOCKS {
                let [cosine, sine] = turn(b[lane]);
                out[lane][2 * pair] = (radius[lane] * cosine) as f32;
                out[lane][2 * pair + 1] = (radius[lane] * sine) as f32;
            }
        }
    }
}

/// Philox 4×32 with ten rounds: the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3" (SC 2011).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
}

impl Philox {
    /// The generator of a key.
    pub const fn new(key: [u32; 2]) -> Self {
        Self { key }
    }

    /// The four random words of a counter; a different counter gives independent words.
    pub fn block(&self, counter: [u32; 4]) -> [u32; 4] {
        let [[a], [b], [c], [d]] = self.blocks(counter);
        [a, b, c, d]
    }

    /// The words of a counter and of those that follow it in its first word: all first words, all second ones…
    #[inline(always)]
    fn blocks<const N: usize>(&self, [first, second, third, fourth]: [u32; 4]) -> [[u32; N]; 4] {
        const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
        const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
        let mut words = [
            core::array::from_fn(|n| first.wrapping_add(n as u32)),
            [second; N],
            [third; N],
            [fourth; N],
        ];
        let mut key = self.key;
        for _ in 0..10 {
            let [w0, w1, w2, w3] = &mut words;
            for lane in 0..N {
                let first = MULTIPLIERS[0] * u64::from(w0[lane]);
                let second = MULTIPLIERS[1] * u64::from(w2[lane]);
                w0[lane] = (second >> 32) as u32 ^ w1[lane] ^ key[0];
                w1[lane] = second as u32;
                w2[lane] = (first >> 32) as u32 ^ w3[lane] ^ key[1];
                w3[lane] = first as u32;
            }
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        words
    }
}

/// Blocks that are drawn at a time.
const BLOCKS: usize = 16;

/// Width of the interval that a word stands for.
const UNIT: f64 = 1.0 / 4_294_967_296.0;

/// The middle of a word's interval, which is never 0.
#[inline(always)]
fn middle(word: u32) -> f64 {
    (f64::from(word) + 0.5) * UNIT
}

/// The natural logarithm of a positive normal number: `2 artanh(s)`, `s = (m - 1) / (m + 1)`, of the part `m` between √½
/// and √2, and the exponent's.
#[inline(always)]
fn logarithm(x: f64) -> f64 {
    const ROOT_OF_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    // ln 2 in two parts; the product of the first with any exponent is exact.
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    let bits = x.to_bits() + (ONE - ROOT_OF_HALF);
    let exponent = f64::from((bits >> 52) as i32 - 1023);
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + ROOT_OF_HALF);
    let s = (m - 1.0) / (m + 1.0);
    let sum = polynomial(s * s, &ARTANH);
    exponent * HIGH + (2.0 * s + (s * sum + exponent * LOW))
}

/// `2 / (2 k + 1)`: what the powers of `s²` count in `2 artanh(s) / s`, from the first on. `s²` is at most 0.0295, so that
/// what is left out is below 2⁻⁵³ of the whole.
const ARTANH: [f64; 10] = [
    2.0 / 3.0,
    2.0 / 5.0,
    2.0 / 7.0,
    2.0 / 9.0,
    2.0 / 11.0,
    2.0 / 13.0,
    2.0 / 15.0,
    2.0 / 17.0,
    2.0 / 19.0,
    2.0 / 21.0,
];

/// `±1 / n!` of the even and of the odd `n` from 2 and 3 on; of an eighth of a turn, what is left out is below 2⁻⁵³.
const COSINE: [f64; 8] = [
    -1.0 / 2.0,
    1.0 / 24.0,
    -1.0 / 720.0,
    1.0 / 40_320.0,
    -1.0 / 3_628_800.0,
    1.0 / 479_001_600.0,
    -1.0 / 87_178_291_200.0,
    1.0 / 20_922_789_888_000.0,
];
const SINE: [f64; 8] = [
    -1.0 / 6.0,
    1.0 / 120.0,
    -1.0 / 5_040.0,
    1.0 / 362_880.0,
    -1.0 / 39_916_800.0,
    1.0 / 6_227_020_800.0,
    -1.0 / 1_307_674_368_000.0,
    1.0 / 355_687_428_096_000.0,
];

/// `c_1 z + c_2 z² + …`.
#[inline(always)]
fn polynomial<const N: usize>(z: f64, coefficients: &[f64; N]) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| (sum + coefficient) * z)
}

/// Cosine and sine of the middle of a word's interval, as a part of a turn.
#[inline(always)]
fn turn(word: u32) -> [f64; 2] {
    // The nearest quarter turn, and the way from it: at most an eighth.
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let way = word.wrapping_sub(quarter << 30) as i32;
    let angle = core::f64::consts::TAU * ((f64::from(way) + 0.5) * UNIT);
    let square = angle * angle;
    let cosine = 1.0 + polynomial(square, &COSINE);
    let sine = angle + angle * polynomial(square, &SINE);
    let (cosine, sine) = if quarter & 1 == 0 { (cosine, sine) } else { (-sine, cosine) };
    let sign = if quarter & 2 == 0 { 1.0 } else { -1.0 };
    [sign * cosine, sign * sine]
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// The known answers that Random123 publishes for philox4x32-10.
    #[test]
    fn philox_gives_the_published_words() {
        assert_eq!(
            Philox::new([0; 2]).block([0; 4]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            Philox::new([u32::MAX; 2]).block([u32::MAX; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            Philox::new([0xa409_3822, 0x299f_31d0]).block([
                0x243f_6a88,
                0x85a3_08d3,
                0x1319_8a2e,
                0x0370_7344
            ]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn runs_of_a_row_agree_with_the_whole_row() {
        let field = NoiseField::new(0x0123_4567_89ab_cdef);
        let mut row = vec![0.0; 67];
        field.fill(3, 2, 41, 0, &mut row);
        for start in 0..9 {
            for length in 0..58 {
                let mut part = vec![0.0; length];
                field.fill(3, 2, 41, start, &mut part);
                assert_eq!(part, row[start..start + length]);
            }
        }
    }

    /// The bits of a few values, which no machine, compiler or later version may change.
    #[test]
    fn values_keep_their_bits() {
        let mut out = [0.0; 4];
        NoiseField::new(1).fill(0, 0, 0, 0, &mut out);
        assert_eq!(out.map(f32::to_bits), [0x3ec2_c3e3, 0xbe97_b1bc, 0xbe7f_370c, 0xbf80_7dbd]);
        NoiseField::new(u64::MAX).fill(7, 2, 1023, 4093, &mut out);
        assert_eq!(out.map(f32::to_bits), [0xbc55_ad66, 0xbf8f_1593, 0x3ee7_1b17, 0xbf0c_c0a7]);
    }

    #[test]
    fn logarithm_and_turn_are_those_of_the_library() {
        let words = (0..2_000_000_u32).map(|index| index.wrapping_mul(2_654_435_769));
        for word in words.chain([0, 1, u32::MAX, u32::MAX - 1, 1 << 29, 1 << 30, 1 << 31]) {
            let x = middle(word);
            let (found, expected) = (logarithm(x), libm::log(x));
            assert!((found / expected - 1.0).abs() < 1e-15, "{word}: {found} for {expected}");
            let (sine, cosine) = libm::sincos(core::f64::consts::TAU * x);
            let [found_cosine, found_sine] = turn(word);
            assert!((found_cosine - cosine).abs() < 2e-15, "{word}: {found_cosine} for {cosine}");
            assert!((found_sine - sine).abs() < 2e-15, "{word}: {found_sine} for {sine}");
        }
    }

    #[test]
    fn every_coordinate_changes_the_noise() {
        let at = |seed, draw, channel, y, x0| {
            let mut out = [0.0; 4];
            NoiseField::new(seed).fill(draw, channel, y, x0, &mut out);
            out
        };
        let base = at(1, 0, 0, 0, 0);
        for other in [
            at(2, 0, 0, 0, 0),
            at(1 + (1 << 32), 0, 0, 0, 0),
            at(1, 1, 0, 0, 0),
            at(1, 0, 1, 0, 0),
            at(1, 0, 0, 1, 0),
            at(1, 0, 0, 0, 4),
        ] {
            assert!(base.iter().zip(&other).all(|(a, b)| a != b));
        }
    }

    #[test]
    fn values_are_standard_normal() {
        let field = NoiseField::new(7);
        let count = 400_000;
        let mut values = vec![0.0_f32; count];
        for (y, row) in values.chunks_mut(1000).enumerate() {
            field.fill(0, 0, y, 0, row);
        }
        let moment = |power: i32| {
            let sum: f64 =
                values.iter().map(|&value| libm::pow(f64::from(value), f64::from(power))).sum();
            sum / count as f64
        };
        // Four standard errors: sqrt(var / n) with var of z, z², z³, z⁴ = 1, 2, 15, 96.
        let error = |variance: f64| 4.0 * libm::sqrt(variance / count as f64);
        assert!(moment(1).abs() < error(1.0));
        assert!((moment(2) - 1.0).abs() < error(2.0));
        assert!(moment(3).abs() < error(15.0));
        assert!((moment(4) - 3.0).abs() < error(96.0));
        let beyond =
            values.iter().filter(|value| value.abs() > 1.959_964).count() as f64 / count as f64;
        assert!((beyond - 0.05).abs() < error(0.05 * 0.95));
        let neighbours: f64 =
            values.windows(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum::<f64>()
                / count as f64;
        assert!(neighbours.abs() < error(1.0));
    }
}
