"""What torchvision makes of whole clips: resize, crop, mirror, normalise, order. Writes frames.txt.

    venv/bin/python test/parity/record_frames.py     (needs what record_resample.py needs)

One line a case: H W FRAMES FILL SEED and the options of decodeOnly as JSON, then the shape of the
tensor and the FNV-1a hash of its bytes. The frames are those of `picture` in record_resample.py, of
SEED, SEED + 1 and so on; test/api/pixels-parity.test.ts puts the same ones into a lossless file.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import torchvision
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tvf

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from record_resample import fnv, picture  # noqa: E402

MODES = {
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
    "lanczos": InterpolationMode.LANCZOS,
}
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "uint8": torch.uint8}
CASES = [
    (90, 150, 3, "noise", 1, {"size": {"short": 56, "crop": 56}, "resample": "bicubic", "normalize": "clip", "outputDtype": "fp32", "layout": "tchw"}),
    (90, 150, 3, "edges", 2, {"size": {"short": 64, "crop": 56}, "resample": "bilinear", "normalize": "imagenet", "outputDtype": "fp16", "layout": "cthw"}),
    (151, 91, 2, "noise", 3, {"size": {"exact": [40, 70]}, "resample": "lanczos", "normalize": "signed", "outputDtype": "bf16", "layout": "thwc"}),
    (151, 91, 2, "edges", 4, {"size": {"short": 48}, "resample": "bicubic", "outputDtype": "uint8", "layout": "tchw"}),
    (60, 80, 2, "noise", 5, {"size": {"short": 50, "crop": 70}, "resample": "bilinear", "normalize": "unit", "outputDtype": "fp32", "layout": "thwc"}),
    (60, 80, 2, "noise", 6, {"size": {"exact": [150, 200]}, "resample": "bicubic", "normalize": {"scale": 1 / 127.5, "offset": 1, "mean": 0.5, "std": 0.5}, "outputDtype": "fp32", "layout": "tchw"}),
    (72, 96, 2, "edges", 7, {"size": {"short": 32, "crop": 32}, "resample": "lanczos", "augment": {"flip": 1}, "outputDtype": "uint8", "layout": "thwc"}),
    (72, 96, 4, "noise", 8, {"size": [{"short": 60, "crop": 56}, {"exact": [28, 42]}], "resample": "bicubic", "outputDtype": "uint8", "layout": "thwc"}),
]


def sized(t, rule, mode):
    if "exact" in rule:
        return tvf.resize(t, rule["exact"], interpolation=mode, antialias=True)
    t = tvf.resize(t, rule["short"], interpolation=mode, antialias=True)
    return tvf.center_crop(t, [rule["crop"]] * 2) if "crop" in rule else t


def normalised(t, normalize):
    v = t.to(torch.float32)
    if normalize is None:
        return v
    if isinstance(normalize, dict):  # one step after the other
        return tvf.normalize(v * normalize["scale"] - normalize["offset"], [normalize["mean"]] * 3, [normalize["std"]] * 3)
    mean, std = {
        "unit": ([0.0] * 3, [1.0] * 3),
        "signed": ([0.5] * 3, [0.5] * 3),
        "imagenet": IMAGENET,
        "clip": CLIP,
    }[normalize]
    # As transformers' processors fuse it.
    return tvf.normalize(v, (torch.tensor(mean) * 255.0).tolist(), (torch.tensor(std) * 255.0).tolist())


def main():
    torch.set_num_threads(1)
    lines = [f"# torch {torch.__version__.split('+')[0]}, torchvision {torchvision.__version__.split('+')[0]}"]
    for h, w, frames, fill, seed, options in CASES:
        clip = np.stack([picture(h, w, fill, seed + t) for t in range(frames)])
        t = torch.from_numpy(clip).permute(0, 3, 1, 2)
        rules = options["size"] if isinstance(options["size"], list) else [options["size"]]
        for rule in rules:
            t = sized(t, rule, MODES[options["resample"]])
        if options.get("augment"):
            t = tvf.horizontal_flip(t)
        out = normalised(t, options.get("normalize")).to(DTYPES[options["outputDtype"]])
        order = {"tchw": (0, 1, 2, 3), "thwc": (0, 2, 3, 1), "cthw": (1, 0, 2, 3)}[options["layout"]]
        out = out.permute(*order).contiguous()
        raw = out.view(torch.uint8) if out.dtype != torch.uint8 else out
        shape = "x".join(map(str, out.shape))
        text = json.dumps(options, separators=(",", ":"))
        lines.append(f"{h} {w} {frames} {fill} {seed} {shape} {fnv(raw.numpy())} {text}")
    pathlib.Path(__file__).with_name("frames.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
