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
        let mut x = x0;
        let mut rest = out;
        while !rest.is_empty() {
            let lane = x % 4;
            let count = (4 - lane).min(rest.len());
            let normals = self.normals([(x / 4) as u32, row, channel, draw]);
            let (head, tail) = rest.split_at_mut(count);
            head.copy_from_slice(&normals[lane..lane + count]);
            rest = tail;
            x += count;
        }
    }

    fn normals(&self, counter: [u32; 4]) -> [f32; 4] {
        let [a, b, c, d] = self.philox.block(counter);
        let [first, second] = box_muller(a, b);
        let [third, fourth] = box_muller(c, d);
        [first, second, third, fourth]
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

/// Two standard normal values from two uniform words.
fn box_muller(a: u32, b: u32) -> [f32; 2] {
    // Both are in the middle of their interval of width 2⁻³², so the logarithm's argument is never 0.
    let unit = |word: u32| (f64::from(word) + 0.5) * (1.0 / 4_294_967_296.0);
    let radius = libm::sqrt(-2.0 * libm::log(unit(a)));
    let (sine, cosine) = libm::sincos(core::f64::consts::TAU * unit(b));
    [(radius * cosine) as f32, (radius * sine) as f32]
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
            for length in 0..20 {
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
