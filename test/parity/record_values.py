"""What torch makes of the 256 values of a pixel under usual normalisations; writes values.txt.

    venv/bin/python test/parity/record_values.py     (needs what record_resample.py needs)

One line a case: NAME, 'fused' or the offset, scale, means, stds, and the FNV-1a hash of the float32
values [3, 256]. Fused is what transformers' processors do: torchvision's normalize with means and
stds times 1 / scale on the 8-bit values.
"""

import pathlib

import torch
import torchvision
from torchvision.transforms.v2 import functional as tvf

CASES = {
    "unit": ([0.0] * 3, [1.0] * 3, 1 / 255, None),
    "signed": ([0.5] * 3, [0.5] * 3, 1 / 255, None),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 1 / 255, None),
    "clip": ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711], 1 / 255, None),
    "vivit": ([0.5] * 3, [0.5] * 3, 1 / 127.5, 1.0),
}


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def main():
    lines = [f"# torch {torch.__version__.split('+')[0]}, torchvision {torchvision.__version__.split('+')[0]}"]
    for name, (mean, std, scale, offset) in CASES.items():
        v = torch.arange(256, dtype=torch.float32).repeat(3, 1)[:, :, None]
        if offset is None:
            by = 1.0 / scale
            out = tvf.normalize(v, (torch.tensor(mean) * by).tolist(), (torch.tensor(std) * by).tolist())
        else:
            out = tvf.normalize(v * scale - offset, mean, std)
        fields = [name, "fused" if offset is None else offset, repr(scale), *map(repr, mean + std)]
        lines.append(" ".join(map(str, fields)) + " " + fnv(out.contiguous().numpy().tobytes()))
    pathlib.Path(__file__).with_name("values.txt").write_text("\n".join(lines) + "\n")


main()
