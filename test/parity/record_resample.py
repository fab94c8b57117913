"""What torchvision's uint8 CPU path and Pillow make of pictures that a few lines can make again.

Writes resample.txt beside this file, which ops_parity_test compares without Python:

    python3 -m venv venv && venv/bin/pip install torch==2.14.1 torchvision==0.29.1 pillow==13.0.0 numpy
    venv/bin/python test/parity/record_resample.py

One line a case: FILTER H W -> h w FILL SEED, the FNV-1a hashes of torchvision's and of Pillow's
result (uint8, [h, w, 3]; '-' where there is none), and for results of at most 36 bytes the two
results themselves. Pictures: see `picture`.
"""

import pathlib
import random

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tvf

torch.set_num_threads(1)
FILTERS = {
    "bilinear": (InterpolationMode.BILINEAR, Image.BILINEAR),
    "bicubic": (InterpolationMode.BICUBIC, Image.BICUBIC),
    "lanczos": (InterpolationMode.LANCZOS, Image.LANCZOS),
    "area": (None, Image.BOX),
}
FILLS = ("noise", "edges", "flat")
CASES = 300


def mixed(values, seed):
    """A hash of each 32-bit number (lowbias32)."""
    with np.errstate(over="ignore"):
        x = values.astype(np.uint32) + np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x ^= x >> np.uint32(shift)
            x *= np.uint32(factor)
        return x ^ (x >> np.uint32(16))


def picture(h, w, fill, seed):
    """[h, w, 3]. noise: a hash of the sample's number; edges: 0 and 255 in a board whose fields are
    1 to 9 wide and high, of each channel its own; flat: one value a channel."""
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    if fill == "noise":
        return (mixed((y * w + x) * 3 + c, seed) >> np.uint32(24)).astype(np.uint8)
    if fill == "flat":
        return (mixed(c, seed) >> np.uint32(24)).astype(np.uint8)
    sides = mixed(np.arange(6), seed) % np.uint32(9) + np.uint32(1)
    board = y // sides[c].astype(np.int64) + x // sides[c + 3].astype(np.int64)
    return ((board & 1) * 255).astype(np.uint8)


def fnv(array):
    value = 0xCBF29CE484222325
    for byte in np.ascontiguousarray(array).tobytes():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def side(rng):
    """Mostly ordinary, at times one pixel, at times long."""
    kind = rng.randrange(10)
    return 1 if kind == 0 else rng.randint(150, 420) if kind == 1 else rng.randint(2, 150)


def target(rng, n):
    kind = rng.randrange(12)
    if kind == 0:
        return n
    if kind == 1:
        return max(1, n // 50)
    if kind == 2 and n <= 8:
        return n * 50
    if kind == 3:
        return 1
    if kind == 4:
        return max(1, n + rng.choice((-1, 1)))
    return rng.randint(1, 160)


def cases():
    rng = random.Random(15)
    for name in FILTERS:
        for i in range(CASES):
            h, w = side(rng), side(rng)
            yield name, h, w, target(rng, h), target(rng, w), FILLS[i % 5 % 3], rng.randrange(1 << 31)


def main():
    lines = [
        f"# torch {torch.__version__.split('+')[0]}, torchvision {torchvision.__version__.split('+')[0]}, "
        f"Pillow {PIL.__version__}; recorded by record_resample.py"
    ]
    worst = {}
    for name, h, w, oh, ow, fill, seed in cases():
        a = picture(h, w, fill, seed)
        mode, pil_mode = FILTERS[name]
        pil = np.array(Image.fromarray(a).resize((ow, oh), pil_mode))
        theirs = None
        if mode is not None:
            t = tvf.resize(torch.from_numpy(a).permute(2, 0, 1)[None], [oh, ow], interpolation=mode, antialias=True)
            theirs = t[0].permute(1, 2, 0).numpy()
            if not (ow > w and oh < h):  # Pillow from 13 on turns the passes round there
                d = int(np.abs(theirs.astype(int) - pil.astype(int)).max())
                worst[name] = max(worst.get(name, 0), d)
        fields = [name, h, w, oh, ow, fill, seed, "-" if theirs is None else fnv(theirs), fnv(pil)]
        if oh * ow * 3 <= 36:
            fields += ["-" if theirs is None else theirs.tobytes().hex(), pil.tobytes().hex()]
        lines.append(" ".join(map(str, fields)))
    pathlib.Path(__file__).with_name("resample.txt").write_text("\n".join(lines) + "\n")
    print("largest difference of torchvision and Pillow:", worst)


if __name__ == "__main__":
    main()
