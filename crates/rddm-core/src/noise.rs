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
    fn normals(&self, [column, row, channel, draw]: [u32; 4], out: &mut [[f32; 4]; BLOCKS]) {
        let blocks: [[u32; 4]; BLOCKS] = core::array::from_fn(|block| {
            self.philox.block([column.wrapping_add(block as u32), row, channel, draw])
        });
        let words = |place: usize| blocks.map(|block| block[place]);
        let first = box_muller(&words(0), &words(1));
        let second = box_muller(&words(2), &words(3));
        for (block, out) in out.iter_mut().enumerate() {
            *out = [first[0][block], first[1][block], second[0][block], second[1][block]];
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
    pub const fn block(&self, counter: [u32; 4]) -> [u32; 4] {
        const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
        const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
        let mut word = counter;
        let mut key = self.key;
        let mut round = 0;
        while round < 10 {
            let first = MULTIPLIERS[0] as u64 * word[0] as u64;
            let second = MULTIPLIERS[1] as u64 * word[2] as u64;
            word = [
                (second >> 32) as u32 ^ word[1] ^ key[0],
                second as u32,
                (first >> 32) as u32 ^ word[3] ^ key[1],
                first as u32,
            ];
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
            round += 1;
        }
        word
    }
}

/// Blocks that are drawn at a time, so that a processor with vectors has something to do in each.
const BLOCKS: usize = 8;

/// Standard normal values, two from each two uniform words: cosines, then sines.
///
/// Sums and products in f64, and a root, in one order: the same bits on every machine. The error is a few units in the
/// last place of f64, far below one of f32.
fn box_muller(a: &[u32; BLOCKS], b: &[u32; BLOCKS]) -> [[f32; BLOCKS]; 2] {
    // Both are in the middle of their interval of width 2⁻³², so the logarithm's argument is never 0.
    let radius = logarithms(a.map(|word| (f64::from(word) + 0.5) * UNIT));
    let radius = radius.map(|logarithm| libm::sqrt(-2.0 * logarithm));
    let [cosine, sine] = turns(b);
    let mut normals = [[0.0; BLOCKS]; 2];
    for lane in 0..BLOCKS {
        normals[0][lane] = (radius[lane] * cosine[lane]) as f32;
        normals[1][lane] = (radius[lane] * sine[lane]) as f32;
    }
    normals
}

/// Width of the interval that a word stands for.
const UNIT: f64 = 1.0 / 4_294_967_296.0;

/// The natural logarithms of positive normal numbers: `2 artanh(s)`, `s = (m - 1) / (m + 1)`, of the part `m` between √½
/// and √2, and the exponent's.
fn logarithms(x: [f64; BLOCKS]) -> [f64; BLOCKS] {
    const ROOT_OF_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const ONE: u64 = 0x3ff0_0000_0000_0000;
    // ln 2 in two parts; the product of the first with any exponent is exact.
    const HIGH: f64 = 6.931_471_803_691_238e-1;
    const LOW: f64 = 1.908_214_929_270_587_7e-10;
    let bits = x.map(|x| x.to_bits() + (ONE - ROOT_OF_HALF));
    let exponent = bits.map(|bits| f64::from((bits >> 52) as i32 - 1023));
    let m = bits.map(|bits| f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + ROOT_OF_HALF));
    let s = m.map(|m| (m - 1.0) / (m + 1.0));
    let sum = polynomial(s.map(|s| s * s), &ARTANH);
    let mut logarithms = [0.0; BLOCKS];
    for lane in 0..BLOCKS {
        let (s, exponent) = (s[lane], exponent[lane]);
        logarithms[lane] = exponent * HIGH + (2.0 * s + (s * sum[lane] + exponent * LOW));
    }
    logarithms
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

/// `c_1 z + c_2 z² + …` of each `z`.
fn polynomial<const N: usize>(z: [f64; BLOCKS], coefficients: &[f64; N]) -> [f64; BLOCKS] {
    let mut sum = [0.0; BLOCKS];
    for coefficient in coefficients.iter().rev() {
        for (sum, z) in sum.iter_mut().zip(&z) {
            *sum = (*sum + coefficient) * z;
        }
    }
    sum
}

/// Cosine and sine of the middle of each word's interval, as a part of a turn.
fn turns(words: &[u32; BLOCKS]) -> [[f64; BLOCKS]; 2] {
    // The nearest quarter turn, and the way from it: at most an eighth.
    let quarter = words.map(|word| (word.wrapping_add(1 << 29)) >> 30);
    let mut angle = [0.0; BLOCKS];
    for lane in 0..BLOCKS {
        let way = words[lane].wrapping_sub(quarter[lane] << 30) as i32;
        angle[lane] = core::f64::consts::TAU * ((f64::from(way) + 0.5) * UNIT);
    }
    let square = angle.map(|angle| angle * angle);
    let (cosine, sine) = (polynomial(square, &COSINE), polynomial(square, &SINE));
    let mut turns = [[0.0; BLOCKS]; 2];
    for lane in 0..BLOCKS {
        let (cosine, sine) = (1.0 + cosine[lane], angle[lane] + angle[lane] * sine[lane]);
        let (cosine, sine) = if quarter[lane] & 1 == 0 { (cosine, sine) } else { (-sine, cosine) };
        let sign = if quarter[lane] & 2 == 0 { 1.0 } else { -1.0 };
        (turns[0][lane], turns[1][lane]) = (sign * cosine, sign * sine);
    }
    turns
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
            let x = (f64::from(word) + 0.5) * UNIT;
            let (found, expected) = (logarithms([x; BLOCKS])[3], libm::log(x));
            assert!((found / expected - 1.0).abs() < 1e-15, "{word}: {found} for {expected}");
            let (sine, cosine) = libm::sincos(core::f64::consts::TAU * x);
            let [found_cosine, found_sine] = turns(&[word; BLOCKS]).map(|lanes| lanes[5]);
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
