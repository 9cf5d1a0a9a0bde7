use alloc::vec::Vec;

/// All tables of a schedule, each with one f32 per time step `t = 0 … T-1`, computed in f64.
///
/// Names are the paper's: a bar is the sum up to and including `t`. As in the paper's code the sums before `t = 0`
/// count as 1 in the posterior, whose first row is then replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    alpha: Vec<f32>,
    alpha_bar: Vec<f32>,
    beta: Vec<f32>,
    beta2: Vec<f32>,
    beta2_bar: Vec<f32>,
    beta_bar: Vec<f32>,
    one_minus_alpha_bar: Vec<f32>,
    posterior_mean: [Vec<f32>; 3],
    posterior_variance: Vec<f32>,
    posterior_log_variance: Vec<f32>,
    pub(crate) exact_alpha_bar: Vec<f64>,
    pub(crate) exact_beta2_bar: Vec<f64>,
}

impl Schedule {
    /// The number of time steps `T`.
    pub fn timesteps(&self) -> usize {
        self.alpha.len()
    }

    /// `α_t`, the share of the residual that time `t` adds.
    pub fn alpha(&self) -> &[f32] {
        &self.alpha
    }

    /// `ᾱ_t`, the share of the residual in `I_t`, at most 1.
    pub fn alpha_bar(&self) -> &[f32] {
        &self.alpha_bar
    }

    /// `β_t`, the standard deviation of the noise that time `t` adds.
    pub fn beta(&self) -> &[f32] {
        &self.beta
    }

    /// `β²_t`.
    pub fn beta2(&self) -> &[f32] {
        &self.beta2
    }

    /// `β̄²_t`, the variance of the noise in `I_t`, at most 1.
    pub fn beta2_bar(&self) -> &[f32] {
        &self.beta2_bar
    }

    /// `β̄_t`, the standard deviation of the noise in `I_t`.
    pub fn beta_bar(&self) -> &[f32] {
        &self.beta_bar
    }

    /// `1 - ᾱ_t`, with 10⁻⁶ at the last time, since it divides.
    pub fn one_minus_alpha_bar(&self) -> &[f32] {
        &self.one_minus_alpha_bar
    }

    /// The posterior mean's factor of `I_t`: `β̄²_{t-1} / β̄²_t`, 0 at time 0.
    pub fn posterior_mean_picture(&self) -> &[f32] {
        &self.posterior_mean[0]
    }

    /// The posterior mean's factor of `I_res`: `(β²_t ᾱ_{t-1} - β̄²_{t-1} α_t) / β̄²_t`, 0 at time 0.
    pub fn posterior_mean_residual(&self) -> &[f32] {
        &self.posterior_mean[1]
    }

    /// The posterior mean's factor of `I_0`: `β²_t / β̄²_t`, 1 at time 0.
    pub fn posterior_mean_start(&self) -> &[f32] {
        &self.posterior_mean[2]
    }

    /// The posterior's variance `β²_t β̄²_{t-1} / β̄²_t`, 0 at time 0.
    pub fn posterior_variance(&self) -> &[f32] {
        &self.posterior_variance
    }

    /// The logarithm of the posterior's variance, which counts as at least 10⁻²⁰.
    pub fn posterior_log_variance(&self) -> &[f32] {
        &self.posterior_log_variance
    }

    /// Fills the tables from coefficients and sums of one length, at least 2.
    pub(super) fn from_tables(
        alpha: &[f64],
        beta2: &[f64],
        alpha_bar: &[f64],
        beta2_bar: &[f64],
    ) -> Self {
        let last = alpha.len() - 1;
        let rows = || (0..=last).map(|t| Row::new(alpha, beta2, alpha_bar, beta2_bar, t));
        let column = |of: fn(Row) -> f64| rows().map(|row| of(row) as f32).collect::<Vec<f32>>();
        let mut one_minus_alpha_bar = column(|row| 1.0 - row.alpha_bar);
        one_minus_alpha_bar[last] = 1e-6;
        Self {
            alpha: column(|row| row.alpha),
            alpha_bar: column(|row| row.alpha_bar),
            beta: column(|row| libm::sqrt(row.beta2)),
            beta2: column(|row| row.beta2),
            beta2_bar: column(|row| row.beta2_bar),
            beta_bar: column(|row| libm::sqrt(row.beta2_bar)),
            one_minus_alpha_bar,
            posterior_mean: [
                column(|row| row.mean()[0]),
                column(|row| row.mean()[1]),
                column(|row| row.mean()[2]),
            ],
            posterior_variance: column(|row| row.variance()),
            posterior_log_variance: column(|row| libm::log(row.variance().max(1e-20))),
            exact_alpha_bar: alpha_bar.to_vec(),
            exact_beta2_bar: beta2_bar.to_vec(),
        }
    }
}

/// The values at one time, and the posterior's.
#[derive(Clone, Copy)]
struct Row {
    alpha: f64,
    beta2: f64,
    alpha_bar: f64,
    beta2_bar: f64,
    /// The sums of the time before; none at time 0, nor where no noise is there yet.
    previous: Option<(f64, f64)>,
}

impl Row {
    fn new(alpha: &[f64], beta2: &[f64], alpha_bar: &[f64], beta2_bar: &[f64], t: usize) -> Self {
        Self {
            alpha: alpha[t],
            beta2: beta2[t],
            alpha_bar: alpha_bar[t],
            beta2_bar: beta2_bar[t],
            previous: t
                .checked_sub(1)
                .filter(|_| beta2_bar[t] > 0.0)
                .map(|before| (alpha_bar[before], beta2_bar[before])),
        }
    }

    fn mean(self) -> [f64; 3] {
        match self.previous {
            None => [0.0, 0.0, 1.0],
            Some((alpha_bar, beta2_bar)) => [
                beta2_bar / self.beta2_bar,
                (self.beta2 * alpha_bar - beta2_bar * self.alpha) / self.beta2_bar,
                self.beta2 / self.beta2_bar,
            ],
        }
    }

    fn variance(self) -> f64 {
        self.previous.map_or(0.0, |(_, beta2_bar)| self.beta2 * beta2_bar / self.beta2_bar)
    }
}
