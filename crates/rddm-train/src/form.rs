//! The mirrored and turned forms of pictures.

use burn::tensor::Tensor;
use rand::{Rng, RngExt};

use crate::recipe::Augment;

/// One of a picture's eight mirrored and turned forms: what is done to it, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) transpose: bool,
    pub(crate) flip_rows: bool,
    pub(crate) flip_columns: bool,
}

impl Form {
    /// One of those that `augment` names, all as likely.
    pub(crate) fn random(augment: Augment, random: &mut impl Rng) -> Self {
        let [transpose, flip_rows, flip_columns] = match augment {
            Augment::None => [false; 3],
            Augment::Mirror => [false, false, random.random()],
            Augment::Turn => random.random(),
        };
        Self { transpose, flip_rows, flip_columns }
    }

    /// Number `index` of those that `augment` names, `0 ..`; after the last comes the first again.
    pub(crate) fn nth(augment: Augment, index: usize) -> Self {
        let index = match augment {
            Augment::None => 0,
            Augment::Mirror => index % 2,
            Augment::Turn => index % 8,
        };
        let bit = |place: usize| index & place != 0;
        Self { transpose: bit(4), flip_rows: bit(2), flip_columns: bit(1) }
    }

    /// That form of pictures `[n, channels, s, s]`.
    pub(crate) fn of(self, pictures: Tensor<4>) -> Tensor<4> {
        self.flipped(self.transposed(pictures))
    }

    /// The pictures of which `formed` is that form.
    pub(crate) fn undone(self, formed: Tensor<4>) -> Tensor<4> {
        self.transposed(self.flipped(formed))
    }

    fn transposed(self, pictures: Tensor<4>) -> Tensor<4> {
        if self.transpose { pictures.swap_dims(2, 3) } else { pictures }
    }

    fn flipped(self, pictures: Tensor<4>) -> Tensor<4> {
        let pictures = if self.flip_rows { pictures.flip([2]) } else { pictures };
        if self.flip_columns { pictures.flip([3]) } else { pictures }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tolerance};

    use super::*;

    #[test]
    fn eight_forms_differ_and_each_is_undone() {
        let picture = Tensor::<1, burn::tensor::Int>::arange(0..9, &Device::default()).float();
        let picture = picture.reshape([1, 1, 3, 3]);
        let forms: Vec<_> = (0..8).map(|index| Form::nth(Augment::Turn, index)).collect();
        for (index, form) in forms.iter().enumerate() {
            let formed = form.of(picture.clone());
            form.undone(formed.clone())
                .into_data()
                .assert_approx_eq::<f32>(&picture.to_data(), Tolerance::absolute(0.0));
            for other in &forms[..index] {
                let other = other.of(picture.clone());
                assert!((formed.clone() - other).abs().sum().into_scalar::<f32>() > 0.0);
            }
        }
        assert_eq!(Form::nth(Augment::Mirror, 2), Form::nth(Augment::None, 1));
    }
}
