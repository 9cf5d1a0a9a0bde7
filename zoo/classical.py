#!/usr/bin/env python3
"""Measures classical methods on the test sets of the zoo, for the leaderboard.

    pip install scikit-image PyWavelets
    python3 zoo/classical.py DATA zoo/classical.json

DATA is the folder of pictures (see `rddm-train eval --help`: gt and input… below each test set). Every method gets the noisy
picture alone; the strength of the noise is estimated from it. PSNR and SSIM are computed as `rddm-train eval` does, on 8 bits.
"""

import json
import pathlib
import sys
import time

import numpy
import skimage
from skimage import filters, io, metrics, restoration


def sigma(picture):
    return max(restoration.estimate_sigma(picture, channel_axis=-1, average_sigmas=True), 1e-3)


def nl_means(picture):
    strength = sigma(picture)
    return restoration.denoise_nl_means(
        picture, h=0.8 * strength, sigma=strength, patch_size=5, patch_distance=6, channel_axis=-1
    )


def wavelets(picture):
    return restoration.denoise_wavelet(
        picture, method="BayesShrink", mode="soft", convert2ycbcr=True, rescale_sigma=True, channel_axis=-1
    )


def median(picture):
    planes = [filters.median(picture[..., channel], numpy.ones((3, 3))) for channel in range(3)]
    return numpy.stack(planes, -1)


METHODS = {
    "polyu/input": {"non-local means": nl_means, "wavelets": wavelets},
    "cc15/input": {"non-local means": nl_means, "wavelets": wavelets},
    "rain100/input_L": {"median 3×3": median, "non-local means": nl_means},
    "rain100/input_H": {"median 3×3": median, "non-local means": nl_means},
}


def luma(picture):
    return 16 + picture @ numpy.array([65.481, 128.553, 24.966])


def figures(picture, clean):
    luma_error = numpy.mean((luma(picture) - luma(clean)) ** 2)
    return {
        "psnr_rgb": metrics.peak_signal_noise_ratio(clean, picture, data_range=1),
        "psnr_y": 10 * numpy.log10(255**2 / luma_error),
        "ssim_rgb": metrics.structural_similarity(
            clean, picture, data_range=1, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        ),
    }


def read(path):
    return skimage.img_as_float(io.imread(path)[..., :3])


def main(data, output):
    rows = []
    for dataset, methods in METHODS.items():
        folder = pathlib.Path(data, "test", dataset)
        pairs = []
        for path in sorted(folder.iterdir()):
            noisy, clean = read(path), read(folder.parent / "gt" / path.name)
            height, width = (min(a, b) for a, b in zip(noisy.shape[:2], clean.shape[:2]))
            pairs.append((noisy[:height, :width], clean[:height, :width]))
        before = [figures(noisy, clean) for noisy, clean in pairs]
        for method, restore in methods.items():
            begun = time.process_time()
            restored = [numpy.round(numpy.clip(restore(noisy), 0, 1) * 255) / 255 for noisy, _ in pairs]
            seconds = (time.process_time() - begun) / (sum(noisy[..., 0].size for noisy, _ in pairs) / 1e6)
            after = [figures(picture, clean) for picture, (_, clean) in zip(restored, pairs)]
            gains = [a["psnr_rgb"] - b["psnr_rgb"] for a, b in zip(after, before)]
            row = {"dataset": dataset, "method": method, "seconds_per_megapixel": round(seconds, 2)}
            for metric in after[0]:
                row[metric] = round(float(numpy.mean([each[metric] for each in after])), 4)
            row["least_gain"] = round(float(min(gains)), 4)
            rows.append(row)
            print(row, flush=True)
    versions = {"scikit-image": skimage.__version__}
    text = json.dumps({"versions": versions, "rows": rows}, indent=2, ensure_ascii=False)
    pathlib.Path(output).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
