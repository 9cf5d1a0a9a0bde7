//! Sizes that are known only as "so many in each trace", and the expressions that explain them.

use crate::Error;
use crate::spec::{Dim, ExportSpec};

/// How many times a forward pass is recorded.
pub(crate) const TRACES: usize = 3;

/// Factors of the traced sizes. All differ, so that the ratios between traces tell every product of symbols
/// from every other one (unique factorisation).
const PRIMES: [usize; 4 * TRACES] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];

/// One axis of a tensor: its length in each trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Extent(pub [usize; TRACES]);

impl Extent {
    pub(crate) fn fixed(length: usize) -> Self {
        Self([length; TRACES])
    }

    /// The length, when it is the same in every trace.
    pub(crate) fn constant(self) -> Option<usize> {
        self.0.iter().all(|length| *length == self.0[0]).then_some(self.0[0])
    }

    /// `self · factor`.
    pub(crate) fn times(self, factor: usize) -> Self {
        Self(self.0.map(|length| length * factor))
    }

    /// `self · other`, trace by trace.
    pub(crate) fn by(self, other: Self) -> Self {
        Self(std::array::from_fn(|trace| self.0[trace] * other.0[trace]))
    }
}

/// `Π extents`.
pub(crate) fn product(extents: &[Extent]) -> Extent {
    extents.iter().fold(Extent::fixed(1), |product, extent| product.by(*extent))
}

/// The sizes that vary, with what each of them is in each trace.
#[derive(Debug, Clone)]
pub(crate) struct Symbols {
    pub list: Vec<Symbol>,
}

#[derive(Debug, Clone)]
pub(crate) struct Symbol {
    pub name: String,
    pub extent: Extent,
}

/// `numerator / denominator · Π symbol^power`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Monomial {
    pub numerator: usize,
    pub denominator: usize,
    pub powers: Vec<usize>,
}

impl Symbols {
    pub(crate) fn of(spec: &ExportSpec) -> Result<Self, Error> {
        let mut list: Vec<Symbol> = Vec::new();
        let mut multiples: Vec<usize> = Vec::new();
        for dim in spec.inputs.iter().flat_map(|input| &input.dims) {
            let Dim::Symbol { name, multiple } = dim else { continue };
            match list.iter().position(|symbol| symbol.name == *name) {
                Some(index) if multiples[index] != *multiple => {
                    return Err(Error::specification(format!(
                        "the size `{name}` is a multiple of {} at one place and of {multiple} at another",
                        multiples[index]
                    )));
                }
                Some(_) => {}
                None => {
                    let first = list.len() * TRACES;
                    if first + TRACES > PRIMES.len() || *multiple == 0 {
                        return Err(Error::specification(format!(
                            "the size `{name}` cannot be traced: at most {} sizes may vary, each a multiple of at least 1",
                            PRIMES.len() / TRACES
                        )));
                    }
                    let extent =
                        Extent(std::array::from_fn(|trace| multiple * PRIMES[first + trace]));
                    list.push(Symbol { name: name.clone(), extent });
                    multiples.push(*multiple);
                }
            }
        }
        Ok(Self { list })
    }

    pub(crate) fn extent(&self, dim: &Dim) -> Extent {
        match dim {
            Dim::Fixed(length) => Extent::fixed(*length),
            Dim::Symbol { name, .. } => self
                .list
                .iter()
                .find(|symbol| symbol.name == *name)
                .map_or(Extent::fixed(1), |symbol| symbol.extent),
        }
    }

    /// The product of symbols that `extent` is in every trace, each symbol at most squared.
    pub(crate) fn express(&self, extent: Extent) -> Option<Monomial> {
        (0..3_usize.pow(self.list.len() as u32)).find_map(|code| {
            let powers: Vec<usize> =
                (0..self.list.len()).map(|i| code / 3_usize.pow(i as u32) % 3).collect();
            let term: [u128; TRACES] = std::array::from_fn(|trace| {
                self.list
                    .iter()
                    .zip(&powers)
                    .map(|(symbol, power)| (symbol.extent.0[trace] as u128).pow(*power as u32))
                    .product()
            });
            let same =
                (1..TRACES).all(|t| extent.0[t] as u128 * term[0] == extent.0[0] as u128 * term[t]);
            let divisor = common_divisor(extent.0[0] as u128, term[0]);
            same.then(|| Monomial {
                numerator: (extent.0[0] as u128 / divisor) as usize,
                denominator: (term[0] / divisor) as usize,
                powers,
            })
        })
    }

    /// `extent` as text for a file's `dim_param`: `h`, `n*h`, `h/2`.
    pub(crate) fn describe(&self, extent: Extent) -> Option<String> {
        let monomial = self.express(extent)?;
        let mut factors: Vec<String> = Vec::new();
        if monomial.numerator != 1 {
            factors.push(monomial.numerator.to_string());
        }
        for (symbol, power) in self.list.iter().zip(&monomial.powers) {
            factors.extend(std::iter::repeat_n(symbol.name.clone(), *power));
        }
        let mut text = factors.join("*");
        if monomial.denominator != 1 {
            text = format!("{text}/{}", monomial.denominator);
        }
        Some(text)
    }
}

fn common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a.max(1) } else { common_divisor(b, a % b) }
}
