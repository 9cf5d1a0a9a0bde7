//! Measures of restored pictures: PSNR, SSIM, MAE.
