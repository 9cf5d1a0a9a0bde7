#!/usr/bin/env python3
"""Draws printed pages: what photographs for training hardly show, and streets are full of.

    pip install numpy "pillow>=10.1"
    python3 zoo/pages.py OUT [COUNT]

makes OUT/000.png and so on, 200 if COUNT is not given, each 480×320 or 320×480 pixels: letters of all sizes, upright and slanted, lines,
bars and ellipses in any colour on white, on even colours or on one that fades into another. A number makes the same page each time,
but for what another version of Pillow draws otherwise.
"""

import pathlib
import sys

import numpy
from PIL import Image, ImageDraw, ImageFont

LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-()%&")
FINER = 3  # Drawn this many times as large and averaged, for smooth borders.


def colour(random):
    """Black, white or grey as often as a colour."""
    if random.random() < 0.5:
        return (int(random.choice([0, 255, random.integers(256)])),) * 3
    return tuple(int(value) for value in random.integers(0, 256, 3))


def plain(size, random):
    return Image.new("RGB", size, colour(random))


def ground(size, random):
    kind = random.random()
    if kind < 0.5:
        return Image.new("RGB", size, "white")
    if kind < 0.75:
        return plain(size, random)
    fade = Image.linear_gradient("L").resize(size).rotate(90 * int(random.integers(4)))
    return Image.composite(plain(size, random), plain(size, random), fade)


def shape(sheet, random):
    draw = ImageDraw.Draw(sheet)
    (x0, x1), (y0, y1) = (sorted(int(random.integers(-side // 8, side)) for _ in range(2)) for side in sheet.size)
    fill, width = colour(random), FINER * int(random.integers(1, 6))
    way = int(random.integers(5))
    if way == 0:
        draw.rectangle([x0, y0, x1, y1], fill=fill)
    elif way == 1:
        draw.ellipse([x0, y0, x1, y1], fill=fill)
    elif way == 2:
        draw.rectangle([x0, y0, x1, y1], outline=fill, width=width)
    elif way == 3:
        draw.line([x0, y0, x1, y1] if random.random() < 0.5 else [x0, y1, x1, y0], fill=fill, width=width)
    else:
        draw.arc([x0, y0, x1, y1], *sorted(random.uniform(0, 720, 2)), fill=fill, width=width)


def word(random):
    return "".join(random.choice(LETTERS, int(random.integers(2, 10))))


def paragraph(sheet, random):
    size = FINER * int(numpy.exp(random.uniform(numpy.log(7), numpy.log(70))))
    font = ImageFont.load_default(size)
    lines = int(random.integers(1, 8)) if size < 25 * FINER else 1
    text = "\n".join(" ".join(word(random) for _ in range(int(random.integers(1, 6)))) for _ in range(lines))
    layer = Image.new("L", sheet.size)
    place = tuple(int(random.uniform(-0.1, 0.8) * side) for side in sheet.size)
    ImageDraw.Draw(layer).text(place, text, fill=255, font=font, stroke_width=int(random.random() < 0.4) * size // 24)
    if random.random() < 0.4:
        slant = random.uniform(-0.3, 0.3)
        leaning = (1, slant, -slant * place[1], 0, 1, 0)
        layer = layer.transform(layer.size, Image.Transform.AFFINE, leaning, Image.Resampling.BILINEAR)
    sheet.paste(plain(sheet.size, random), mask=layer)


def page(random):
    size = (480, 320) if random.random() < 0.5 else (320, 480)
    sheet = ground(tuple(FINER * side for side in size), random)
    for _ in range(int(random.integers(1, 8))):
        shape(sheet, random)
    for _ in range(int(random.integers(2, 10))):
        paragraph(sheet, random)
    return sheet.resize(size, Image.Resampling.BOX)


def main(draw, usage):
    """Writes as many drawings as the command's words say, each by a generator of its own number."""
    if len(sys.argv) not in (2, 3) or not all(count.isdecimal() for count in sys.argv[2:]):
        sys.exit(usage)
    out, count = pathlib.Path(sys.argv[1]), int((sys.argv[2:] or ["200"])[0])
    out.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draw(numpy.random.default_rng(number)).save(out / f"{number:03}.png")


if __name__ == "__main__":
    main(page, __doc__)
