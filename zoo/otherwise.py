#!/usr/bin/env python3
"""Degrades pictures otherwise than the recipes do, to see whether a model learnt the task or a generator.

    pip install h5py scipy scikit-image
    python3 zoo/otherwise.py DATA OUT [PICTURES]

makes the data sets OUT/{dark,shadow,rain,night,blur,shake,soft,holes} of the PNG and JPEG files below the folder PICTURES,
DATA/test/set14 if none is given, each a folder for `rddm-train eval --data`. Nothing in it but Levin's kernels is shared with recipes: darkness is a
gamma curve with Gaussian noise, shadows are ellipses and bars blurred at their border, rain is sparse noise drawn out along a line, a
night is rain in darkness, blurs are the eight measured kernels of Levin et al. (CVPR 2009, kernels/Levin09.mat), what is soft has a
Gaussian blur of the stored values, holes are letters and lines. Levin's kernels also move a picture as a whole, by up to 4 pixels, which
cannot be told from it; shakes are the same kernels with their mean in the middle.
"""

import collections
import pathlib
import sys

import numpy
import skimage
from scipy import ndimage
from skimage import color, draw, io

import kernels


def dark(picture, random, number):
    exposed = picture ** random.uniform(1.8, 3.0) * random.uniform(0.25, 0.6)
    return exposed + random.normal(0, random.uniform(0.005, 0.02), picture.shape), None


def shadow(picture, random, number):
    height, width = picture.shape[:2]
    area = numpy.zeros((height, width))
    if number % 2:
        centre = [random.uniform(0.2, 0.8) * side for side in (height, width)]
        radii = [random.uniform(0.2, 0.4) * side for side in (height, width)]
        area[draw.ellipse(*centre, *radii, shape=area.shape, rotation=random.uniform(0, 3))] = 1
    else:
        left = random.uniform(0.2, 0.5) * width
        area[:, int(left) : int(left + 0.3 * width)] = 1
    mask = ndimage.gaussian_filter(area, random.uniform(1, 6))
    left = random.uniform(0.3, 0.6) * numpy.array([0.92, 1.0, 1.08])
    light = picture**2.2 * (1 - mask[..., None] * (1 - left))
    return light ** (1 / 2.2), mask


def rain(picture, random, number):
    """Sparse bright noise, drawn out to lines that all fall one way, and laid over the picture as light is."""
    height, width = picture.shape[:2]
    drops = random.uniform(size=(height, width)) < random.uniform(0.002, 0.008)
    length, lean = int(random.uniform(12, 32)), random.uniform(-0.5, 0.5)
    line = numpy.zeros((2 * length + 1, 2 * length + 1))
    ends = numpy.round(length + 0.5 * length * numpy.array([-1, -lean, 1, lean])).astype(int)
    line[draw.line(*ends)] = 1
    streaks = ndimage.convolve(drops * random.uniform(0.5, 1, (height, width)), line, mode="wrap")
    streaks = ndimage.gaussian_filter(streaks, random.uniform(0.4, 0.9)) * random.uniform(0.3, 0.8)
    return 1 - (1 - picture) * (1 - numpy.clip(streaks, 0, 1)[..., None]), None


def night(picture, random, number):
    return dark(rain(picture, random, number)[0], random, number)


def blur(picture, random, number):
    return blurred(picture, KERNELS[number % len(KERNELS)], random)


def shake(picture, random, number):
    kernel = numpy.pad(KERNELS[number % len(KERNELS)], 6)  # Room to be moved.
    off = [(side - 1) / 2 - mean for side, mean in zip(kernel.shape, ndimage.center_of_mass(kernel))]
    return blurred(picture, ndimage.shift(kernel, off, order=1), random)


def blurred(picture, kernel, random):
    planes = [ndimage.convolve(picture[..., plane], kernel, mode="mirror") for plane in range(3)]
    return numpy.stack(planes, -1) + random.normal(0, 0.002, picture.shape), None


def soft(picture, random, number):
    sigma = random.uniform(0.7, 1.4)
    return ndimage.gaussian_filter(picture, (sigma, sigma, 0)) + random.normal(0, 0.002, picture.shape), None


def holes(picture, random, number):
    height, width = picture.shape[:2]
    mask = numpy.zeros((height, width))
    for _ in range(int(height * width / 4000)):
        # A letter: two or three thick strokes within a small square.
        top, left, size = random.integers(height), random.integers(width), random.integers(10, 24)
        ends = random.integers(0, size, (3, 4))
        for y0, x0, y1, x1 in ends[: random.integers(2, 4)]:
            rows, columns = draw.line(top + y0, left + x0, top + y1, left + x1)
            inside = (rows < height) & (columns < width)
            mask[rows[inside], columns[inside]] = 1
    mask = ndimage.binary_dilation(mask, iterations=1).astype(float)
    return numpy.where(mask[..., None] > 0, random.uniform(0, 1, 3), picture), mask


KERNELS = []
WAYS = {"dark": dark, "shadow": shadow, "rain": rain, "night": night, "blur": blur, "shake": shake, "soft": soft, "holes": holes}


def stored(picture):
    return numpy.round(255 * numpy.clip(picture, 0, 1)).astype(numpy.uint8)


def main(data, out, pictures):
    paths = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in {".png", ".jpg", ".jpeg"})
    if not paths:
        sys.exit(f"{pictures}: no PNG or JPEG file here")
    names = collections.Counter(path.stem for path in paths)
    for path in paths:
        if names[path.stem] > 1:
            sys.exit(f"{path}: {names[path.stem]} pictures here would be {path.stem}.png; name them otherwise, or give a folder of some")
    KERNELS.extend(kernels.read(data / "kernels" / "Levin09.mat"))
    for name, way in WAYS.items():
        for folder in ("gt", "input", "mask"):
            (out / name / folder).mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(paths):
            picture = skimage.img_as_float(io.imread(path))
            picture = (color.gray2rgb(picture) if picture.ndim == 2 else picture)[..., :3]
            degraded, mask = way(picture, numpy.random.default_rng(number), number)
            target = f"{path.stem}.png"
            io.imsave(out / name / "gt" / target, stored(picture), check_contrast=False)
            io.imsave(out / name / "input" / target, stored(degraded), check_contrast=False)
            if mask is not None:
                io.imsave(out / name / "mask" / target, stored(mask), check_contrast=False)
        if not any((out / name / "mask").iterdir()):
            (out / name / "mask").rmdir()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    data, out, *pictures = map(pathlib.Path, sys.argv[1:])
    main(data, out, *(pictures or [data / "test" / "set14"]))
