//! Differences from the golden numbers.

/// The largest error of a run and what it may be.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub error: f64,
    pub tolerance: f64,
}

impl Measured {
    pub fn passes(&self) -> bool {
        // Not `!(error > tolerance)`: an error that is no number fails.
        self.error <= self.tolerance
    }

    /// The worse of two by how much of its tolerance it takes.
    pub fn worse(self, other: Self) -> Self {
        let share = |measured: Self| measured.error / measured.tolerance;
        if share(self) >= share(other) || share(self).is_nan() { self } else { other }
    }
}

/// Relative tolerance with an absolute floor: `|got - golden| ≤ relative · |golden| + absolute`.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Relative {
    pub relative_tolerance: f64,
    pub absolute_tolerance: f64,
}

impl Relative {
    /// The largest `|got - golden| / (|golden| + absolute / relative)`, which the relative tolerance bounds.
    pub fn measure(self, got: &[f32], golden: &[f32]) -> Result<Measured, String> {
        let floor = self.absolute_tolerance / self.relative_tolerance;
        let error =
            largest(got, golden, |got, golden| (got - golden).abs() / (golden.abs() + floor))?;
        Ok(Measured { error, tolerance: self.relative_tolerance })
    }
}

/// The largest `|got - golden|`.
pub fn absolute(got: &[f32], golden: &[f32], tolerance: f64) -> Result<Measured, String> {
    let error = largest(got, golden, |got, golden| (got - golden).abs())?;
    Ok(Measured { error, tolerance })
}

fn largest(got: &[f32], golden: &[f32], error: impl Fn(f64, f64) -> f64) -> Result<f64, String> {
    if got.len() != golden.len() {
        return Err(format!("{} values where the golden has {}", got.len(), golden.len()));
    }
    let errors = got.iter().zip(golden).map(|(&got, &golden)| error(got.into(), golden.into()));
    // `f64::max` would drop what is no number.
    Ok(errors
        .fold(0.0, |worst: f64, error| if error.is_nan() || error > worst { error } else { worst }))
}
