"""What transformers' own functions make of random sizes; writes sizes.txt beside this file.

    venv/bin/pip install transformers==5.24.0 (beside what record_resample.py needs)
    venv/bin/python test/parity/record_sizes.py

One line a case: RULE A B C T H W -> h w. area: factor, bounds; video: the same over T frames;
patches: patch side, patches; short, even (the long side, the other made even): the side.
"""

import pathlib
import random

import torch
import transformers
from torchvision.transforms.v2 import functional as tvf
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize
from transformers.models.qwen3_vl.video_processing_qwen3_vl import smart_resize as smart_resize_video
from transformers.models.siglip2.image_processing_siglip2 import get_image_size_for_max_num_patches
from transformers.models.smolvlm.video_processing_smolvlm import get_resize_output_image_size

CASES = 1000
rng = random.Random(15)


def sizes():
    done = 0
    while done < CASES:
        h, w, t = rng.randint(8, 2200), rng.randint(8, 2200), rng.randint(2, 200)
        if max(h, w) <= 200 * min(h, w):
            done += 1
            yield t, h, w


def main():
    lines = [f"# transformers {transformers.__version__}, torch {torch.__version__}; by record_sizes.py"]
    put = lambda *fields: lines.append(" ".join(map(str, fields)))
    for factor, low, high in ((28, 100352, 602112), (28, 3136, 12845056), (32, 3136, 4000000)):
        for t, h, w in sizes():
            put("area", factor, low, high, t, h, w, *smart_resize(h, w, factor, low, high))
    for low, high in ((131072, 786432), (4096, 25165824)):
        for t, h, w in sizes():
            put("video", 32, low, high, t, h, w, *smart_resize_video(t, h, w, 2, 32, low, high))
    for t, h, w in sizes():
        put("patches", 16, 256, 0, t, h, w, *get_image_size_for_max_num_patches(h, w, 16, 256))
    for t, h, w in sizes():
        side = rng.choice((224, 256, 292))
        if side * max(h, w) // min(h, w) > 16384:
            continue
        got = tvf.resize(torch.zeros((1, h, w), device="meta"), [side], antialias=False).shape[-2:]
        put("short", side, 0, 0, t, h, w, *got)
    for t, h, w in sizes():
        side = rng.choice((364, 512, 1456))
        got = get_resize_output_image_size(torch.zeros((1, h, w), device="meta"), resolution_max_side=side)
        put("even", side, 0, 0, t, h, w, *got)
    pathlib.Path(__file__).with_name("sizes.txt").write_text("\n".join(lines) + "\n")


main()
