//! The mathematics of residual denoising diffusion: schedules, objectives, samplers, seeded noise.
