#!/usr/bin/env python3
"""Measures classical methods on the test sets of the zoo, for the leaderboard.

    pip install scikit-image PyWavelets bm3d
    python3 zoo/classical.py DATA DEGRADED zoo/classical.json [SET…]

DATA is the folder of pictures (see `rddm-train eval --help`: gt and input… below each test set); DEGRADED holds a folder of
each model that is measured on degraded pictures, made by

    rddm-train degrade DATA/test/kodak24/gt --recipe zoo/MODEL/recipe.toml --output DEGRADED/MODEL

Every method gets the degraded picture alone, and its mask where there is one; the strength of the noise is estimated from it.
PSNR and SSIM are computed as `rddm-train eval` does, on 8 bits. Sets that are not named keep the figures that the file has.
"""

import importlib.metadata
import json
import pathlib
import sys
import time

import bm3d
import numpy
import skimage
from skimage import color, exposure, filters, io, metrics, restoration


def sigma(picture):
    return max(restoration.estimate_sigma(picture, channel_axis=-1, average_sigmas=True), 1e-3)


def nl_means(picture, mask):
    strength = sigma(picture)
    return restoration.denoise_nl_means(
        picture, h=0.8 * strength, sigma=strength, patch_size=5, patch_distance=6, channel_axis=-1
    )


def bm3d_rgb(picture, mask):
    return bm3d.bm3d_rgb(picture, sigma(picture))


def wavelets(picture, mask):
    return restoration.denoise_wavelet(
        picture, method="BayesShrink", mode="soft", convert2ycbcr=True, rescale_sigma=True, channel_axis=-1
    )


def median(picture, mask):
    planes = [filters.median(picture[..., channel], numpy.ones((3, 3))) for channel in range(3)]
    return numpy.stack(planes, -1)


def gamma(picture, mask):
    """The exponent that brings the mean to that of an ordinary photograph."""
    mean = numpy.clip(picture.mean(), 1e-3, 0.9)
    return picture ** (numpy.log(0.45) / numpy.log(mean))


def clahe(picture, mask):
    return exposure.equalize_adapthist(gamma(picture, mask), clip_limit=0.01)


def biharmonic(picture, mask):
    return restoration.inpaint_biharmonic(picture, mask > 0, channel_axis=-1)


def matched(picture, mask):
    """The gain of each colour that makes what is in the core of the shadow as bright as what is outside of it."""
    light = picture**2.2
    inside, outside = mask > 0.95, mask < 0.05
    if inside.sum() < 16 or outside.sum() < 16:
        return picture
    left = numpy.clip(light[inside].mean(0) / light[outside].mean(0), 0.1, 1)
    return (light / (1 - mask[..., None] * (1 - left))) ** (1 / 2.2)


def unsharp(picture, mask):
    # Not `filters.unsharp_mask`, whose channels scikit-image 0.26.0 gets wrong.
    return 2 * picture - filters.gaussian(picture, 1.5, channel_axis=-1)


def wiener(picture, mask):
    """Deconvolution of a disc of radius 1.5, the middle of what a lens slightly out of focus makes; the blur is not known."""
    places = numpy.hypot(*numpy.mgrid[-2:3, -2:3])
    disc = numpy.clip(2 - places, 0, 1)
    disc /= disc.sum()
    light = picture**2.2
    planes = [restoration.wiener(light[..., plane], disc, balance=0.02, clip=True) for plane in range(3)]
    return numpy.clip(numpy.stack(planes, -1), 0, 1) ** (1 / 2.2)


METHODS = {
    "polyu/input": {"BM3D": bm3d_rgb, "non-local means": nl_means, "wavelets": wavelets},
    "cc15/input": {"BM3D": bm3d_rgb, "non-local means": nl_means, "wavelets": wavelets},
    "rain100/input_L": {"median 3×3": median, "non-local means": nl_means},
    "rain100/input_H": {"median 3×3": median, "non-local means": nl_means},
    "kodak24/lol": {"gamma": gamma, "gamma, CLAHE": clahe},
    "kodak24/lol-derain": {"gamma": gamma, "gamma, CLAHE": clahe},
    "kodak24/deblur": {"unsharp mask": unsharp, "Wiener, a disc": wiener},
    "kodak24/inpaint": {"biharmonic": biharmonic},
    "kodak24/shadow-mask": {"matched means": matched},
    "kodak24/shadow": {"gamma": gamma, "gamma, CLAHE": clahe},
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
    picture = skimage.img_as_float(io.imread(path))
    return color.gray2rgb(picture) if picture.ndim == 2 else picture[..., :3]


def main(data, degraded, output, *wanted):
    output = pathlib.Path(output)
    rows = json.loads(output.read_text(encoding="utf-8"))["rows"] if output.exists() else []
    for dataset, methods in METHODS.items():
        if wanted and dataset not in wanted:
            continue
        rows = [row for row in rows if row["dataset"] != dataset]
        folder = pathlib.Path(data, "test", dataset)
        if not folder.exists():
            folder = pathlib.Path(degraded, folder.name, "input")
        pairs, masks = [], []
        for path in sorted(folder.iterdir()):
            noisy, clean = read(path), read(folder.parent / "gt" / path.name)
            height, width = (min(a, b) for a, b in zip(noisy.shape[:2], clean.shape[:2]))
            pairs.append((noisy[:height, :width], clean[:height, :width]))
            mask = folder.parent / "mask" / path.name
            masks.append(read(mask)[..., 0] if mask.exists() else None)
        before = [figures(noisy, clean) for noisy, clean in pairs]
        for method, restore in methods.items():
            begun = time.process_time()
            restored = [restore(noisy, mask) for (noisy, _), mask in zip(pairs, masks)]
            restored = [numpy.round(numpy.clip(picture, 0, 1) * 255) / 255 for picture in restored]
            seconds = (time.process_time() - begun) / (sum(noisy[..., 0].size for noisy, _ in pairs) / 1e6)
            after = [figures(picture, clean) for picture, (_, clean) in zip(restored, pairs)]
            gains = [a["psnr_rgb"] - b["psnr_rgb"] for a, b in zip(after, before)]
            row = {"dataset": dataset, "method": method, "seconds_per_megapixel": round(seconds, 2)}
            for metric in after[0]:
                row[metric] = round(float(numpy.mean([each[metric] for each in after])), 4)
            row["least_gain"] = round(float(min(gains)), 4)
            rows.append(row)
            print(row, flush=True)
    versions = {name: importlib.metadata.version(name) for name in ("scikit-image", "bm3d")}
    rows.sort(key=lambda row: (list(METHODS).index(row["dataset"]), row["method"]))
    text = json.dumps({"versions": versions, "rows": rows}, indent=2, ensure_ascii=False)
    output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
