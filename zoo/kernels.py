#!/usr/bin/env python3
"""Writes the eight blur kernels of Levin et al. (CVPR 2009) as pictures, for recipes that blur by them (`kind = "kernel_blur"`).

    pip install numpy h5py scikit-image
    python3 zoo/kernels.py LEVIN09.mat OUT

makes OUT/1.png to OUT/8.png, grey of 16 bits, linear: the brightest pixel is white.
"""

import pathlib
import sys

import h5py
import numpy
from skimage import io


def read(path):
    """The kernels of the file, weights of sum 1."""
    with h5py.File(path) as file:
        kernels = [numpy.array(file[place]).T for place in numpy.ravel(file["kernels"])]
    return [kernel / kernel.sum() for kernel in kernels]


def main(path, out):
    out.mkdir(parents=True, exist_ok=True)
    for number, kernel in enumerate(read(path), 1):
        picture = numpy.round(65535 * kernel / kernel.max()).astype(numpy.uint16)
        io.imsave(out / f"{number}.png", picture, check_contrast=False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(pathlib.Path, sys.argv[1:]))
