#!/usr/bin/env python3
"""Draws fences, blinds and bars: rows of narrow bright things that are no rain.

    pip install numpy "pillow>=10.1"
    python3 zoo/fences.py OUT [COUNT]

makes OUT/000.png and so on, 200 if COUNT is not given, each 480×320 or 320×480 pixels: one to three rows of slats seen aslant, pointed,
round or straight, light on dark or the other way round, before ground and sky of soft spots and grain. A number makes the same picture
each time, but for what another version of Pillow draws otherwise.
"""

import numpy
from PIL import Image, ImageDraw

from pages import FINER, main


def spots(size, random):
    """Even noise of all sizes, about -1 to 1."""
    sheet = numpy.zeros(size[::-1], numpy.float32)
    for side in 2, 5, 12, 30, 80, 200:
        coarse = random.standard_normal((side, side)).astype(numpy.float32)
        sheet += numpy.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)) * side**-random.uniform(0.2, 0.8)
    return sheet / numpy.abs(sheet).max()


def textured(size, random, bright):
    """A surface of one colour, `bright` of 0 to 1 in the mean, with spots."""
    colour = 255 * numpy.clip(bright + random.uniform(-0.12, 0.12, 3), 0, 1)
    depth = random.uniform(0, 70)
    return colour + depth * spots(size, random)[..., None]


def slats(size, random):
    """How much of each pixel is slat, and which one, for a row of them that is seen from the front."""
    width, height = size
    cover, which = Image.new("L", size), Image.new("L", size)
    draw, number = ImageDraw.Draw(cover), ImageDraw.Draw(which)
    pitch = FINER * numpy.exp(random.uniform(numpy.log(3.5), numpy.log(40)))
    slat = pitch * random.uniform(0.25, 0.85)
    top, kind = random.uniform(0, 0.5) * height, int(random.integers(3))
    foot = random.uniform(0.7, 1.05) * height
    for index in range(int(width / pitch) + 1):
        x = index * pitch + random.normal() * pitch * 0.03
        y = top + random.normal() * pitch * 0.05
        point = [(x, y + slat * 0.6), (x + slat / 2, y), (x + slat, y + slat * 0.6)] if kind == 0 else [(x, y), (x + slat, y)]
        for draws, fill in (draw, 255), (number, int(random.integers(256))):
            draws.polygon([*point, (x + slat, foot), (x, foot)], fill=fill)
            if kind == 1:
                draws.ellipse([x, y - slat / 2, x + slat, y + slat / 2], fill=fill)
    for _ in range(int(random.integers(0, 4))):
        y, thick = random.uniform(top, foot), max(FINER, pitch * random.uniform(0.1, 0.7))
        draw.rectangle([0, y, width, y + thick], fill=255)
    return cover, which


def aslant(layers, size, random):
    """The layers from one place that is not before their middle, and turned: upright more often than not."""
    width, height = size
    shift = lambda: random.uniform(-0.35, 0.35)
    corners = [(x + shift(), y + shift()) for x, y in ((0, 0), (0, 1), (1, 1), (1, 0))]
    seen = [value for x, y in corners for value in (x * width, y * height)]
    square = numpy.array([[x, y] for x, y in ((0, 0), (0, height), (width, height), (width, 0))], float)
    rows, values = [], []
    for (u, v), (x, y) in zip(square, numpy.reshape(seen, (4, 2))):
        rows += [[u, v, 1, 0, 0, 0, -u * x, -v * x], [0, 0, 0, u, v, 1, -u * y, -v * y]]
        values += [x, y]
    lens = numpy.linalg.solve(numpy.array(rows), numpy.array(values))
    layers = [layer.transform(size, Image.Transform.PERSPECTIVE, lens, Image.Resampling.BILINEAR) for layer in layers]
    turn = 0 if random.random() < 0.7 else random.uniform(-90, 90)
    return [layer.rotate(turn, Image.Resampling.BILINEAR) for layer in layers]


def scene(random):
    size = (480, 320) if random.random() < 0.5 else (320, 480)
    large = tuple(FINER * side for side in size)
    picture = textured(large, random, random.uniform(0, 1))
    horizon = int(random.uniform(0.1, 0.9) * large[1])
    picture[horizon:] = textured(large, random, random.uniform(0, 1))[horizon:]
    for _ in range(int(random.integers(1, 4))):
        cover, which = (numpy.asarray(layer, numpy.float32)[..., None] / 255 for layer in aslant(slats(large, random), large, random))
        paint = textured(large, random, random.choice([random.uniform(0.6, 1), random.uniform(0, 1)]))
        paint = paint + random.uniform(0, 60) * (which - 0.5)
        picture = picture * (1 - cover) + paint * cover
    small = numpy.asarray(Image.fromarray(numpy.clip(picture, 0, 255).astype(numpy.uint8)).resize(size, Image.Resampling.BOX), numpy.float32)
    grain = random.uniform(0, 6) * random.standard_normal((*size[::-1], 1))
    return Image.fromarray(numpy.clip(small + grain, 0, 255).astype(numpy.uint8))


if __name__ == "__main__":
    main(scene, __doc__)
