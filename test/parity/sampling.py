#!/usr/bin/env python3
"""Sampling rules as numpy and Hugging Face's processors have them, recorded for npm test.

    python3 -m venv venv && venv/bin/pip install numpy
    venv/bin/pip install torch==2.13.0 transformers==5.18.0 && venv/bin/pip install --no-deps torchvision==0.28.0
    venv/bin/python test/parity/sampling.py            writes test/parity/sampling.inc
    venv/bin/python test/parity/sampling.py --check    exits with 1 when that would change

Each rule is written here from its text (docs/sampling.md), in numpy where it comes from
numpy. Where transformers can be imported, its video processors have to agree on every case (they are
tried on as many as their rounding defines: see `same`). 1,000 random cases a rule; the test makes the
same cases by the same generator (test/native/pipeline/sampling/sampling_parity_test.cpp) and compares hashes of
20 cases each, and the first cases in full, which are there to be read.
"""
import bisect
import os
import sys
import types

import numpy as np

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
CASES, BLOCK, SHOWN = 1000, 20, 12
RATES = [10.0, 12.5, 23.976, 24.0, 25.0, 29.97, 30.0, 60.0]
FPS = [0.5, 1.0, 2.0, 4.0, 7.3]
MASK = (1 << 64) - 1


class Draws:
    """SplitMix64 over an FNV-1a hash of the name."""

    def __init__(self, name):
        h = 0xCBF29CE484222325
        for c in name.encode():
            h = ((h ^ c) * 0x100000001B3) & MASK
        self.state = h

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % n

    def frames(self):
        return 1 + self.below([8, 100, 1000, 5000][self.below(4)])

    def count(self):
        return 1 + self.below([4, 40, 130][self.below(3)])

    def rate(self):
        return RATES[self.below(8)]

    def fps(self):
        return FPS[self.below(5)]

    def times(self, n):
        """Uneven: steps of 10 to 50 ms, some of them none."""
        out, t = [], 0.0
        for _ in range(n):
            out.append(t)
            t += self.below(6) * 0.01
        return out, t + 0.04


def ends(n, k):
    return [0] if k == 1 else [i * (n - 1) // (k - 1) for i in range(k)]


def linspace(n, k):
    return np.linspace(0, n - 1, k, dtype=int).tolist()


def ends_round(n, k):
    return [round(x) for x in np.linspace(0, n - 1, k).tolist()]


def starts(n, k):
    return [i * n // k for i in range(k)]


def middles(n, k):
    return [(2 * i + 1) * n // (2 * k) for i in range(k)]


def on_screen(times, t):
    return max(0, bisect.bisect_right(times, t + 1e-6) - 1)


# --- what transformers says; one function per processor, None where it cannot be imported ------------

try:
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import importlib
    import warnings

    warnings.filterwarnings("ignore")
    import transformers
    from transformers.video_utils import VideoMetadata

    transformers.logging.set_verbosity_error()
    PEER = f"transformers {transformers.__version__}"
except ImportError:
    PEER = None


def sampled(module, name, n, rate, settings=(), **kwargs):
    if name not in PROCESSORS:
        PROCESSORS[name] = getattr(importlib.import_module("transformers.models." + module), name)()
    processor = PROCESSORS[name]
    for key, value in dict(settings).items():
        setattr(processor, key, value)
    metadata = VideoMetadata(total_num_frames=n, fps=rate, duration=n / rate)
    return [int(i) for i in processor.sample_frames(metadata, **kwargs)]


PROCESSORS, AGREED = {}, {}


def same(name, ours, theirs, case):
    if PEER is None:
        return
    ids = theirs()
    # torch's arange sometimes adds an id behind the last frame, which no decoder has.
    if ids and ids[-1] == case[0]:
        ids = ids[:-1]
    if ids != ours:
        raise SystemExit(f"{name} {case}: {PEER} has {ids}, the text gives {ours}")
    AGREED[name] = AGREED.get(name, 0) + 1


# --- the rules: each draws its case and says what comes out --------------------------------------------


def rule_ends(d):
    n, k = d.frames(), d.count()
    return ends(n, k)


def rule_linspace(d):
    n, k = d.frames(), d.count()
    return linspace(n, k)


def rule_ends_round(d):
    n, k = d.frames(), d.count()
    return ends_round(n, k)


def rule_starts(d):
    n, k = d.frames(), d.count()
    ids = starts(n, k)
    if k <= n:
        same("starts", ids, lambda: sampled("llava_onevision", "LlavaOnevisionVideoProcessor", n, 25.0, num_frames=k), (n, k))
    return ids


def rule_middles(d):
    n, k = d.frames(), d.count()
    ids = middles(n, k)
    if k <= n:
        same("middles", ids, lambda: sampled("internvl", "InternVLVideoProcessor", n, 25.0, num_frames=k), (n, k))
    return ids


def rule_starts_by_fps(d):
    """Qwen2-VL: { fps, min, max, multipleOf: 2 }, 'starts'."""
    n, rate, fps = d.frames(), d.rate(), d.fps()
    low, high = 4, [16, 64, 768][d.below(3)]
    top = min(high, n) // 2 * 2
    k = max(1, int(min(max(n / rate * fps, low), top, n)) // 2 * 2)
    ids = starts(n, k)
    if n >= 4:
        same(
            "starts by fps", ids,
            lambda: sampled("qwen2_vl", "Qwen2VLVideoProcessor", n, rate, fps=fps, min_frames=low, max_frames=high, temporal_patch_size=2),
            (n, rate, fps, high),
        )
    return ids


def rule_ends_round_by_fps(d):
    """Qwen3-VL: { fps, min, max }, 'ends-round'."""
    n, rate, fps = d.frames(), d.rate(), d.fps()
    low, high = 4, [16, 64, 768][d.below(3)]
    k = min(max(int(n / rate * fps), low), high, n)
    ids = ends_round(n, k)
    same(
        "ends-round by fps", ids,
        lambda: sampled("qwen3_vl", "Qwen3VLVideoProcessor", n, rate, {"min_frames": low, "max_frames": high}, fps=fps),
        (n, rate, fps, high),
    )
    return ids


def rule_trimmed(d):
    """SmolVLM: { fps, max, round: 'nearest' }, 'linspace' between the ends less a second, unique."""
    n, rate, fps = d.frames(), d.rate(), d.fps()
    high, skip = [8, 16, 64][d.below(3)], [0.0, 0.5, 1.0][d.below(3)]
    k = max(1, min(round(fps * (n / rate)), high))
    a, b = 0, n - 1
    if n / rate - 2 * skip > high * fps:
        a, b = int(skip * rate), min(int(n - skip * rate), n - 1)
        if a >= b:
            a, b = 0, n - 1
    k = min(k, b - a + 1)
    ids = np.unique(a + np.linspace(0, b - a, k, dtype=int)).tolist()
    same(
        "trimmed", ids,
        lambda: sampled("smolvlm", "SmolVLMVideoProcessor", n, rate, fps=fps, num_frames=high, skip_secs=skip),
        (n, rate, fps, high, skip),
    )
    return ids


def rule_every(d):
    """LLaVA-NeXT-Video: each round(rate / fps)-th; above the limit 'ends' over those."""
    n, rate, fps, high = d.frames(), d.rate(), d.fps(), 1 + d.below(64)
    ids = np.arange(0, n, max(1, round(rate / fps))).tolist()
    return ids if len(ids) <= high else [ids[i] for i in ends(len(ids), high)]


def rule_table(d):
    """LLaVA-OneVision-2: 8 below 10 s, 16 below 30 s, else 32; all where there are fewer."""
    n, rate = d.frames(), d.rate()
    seconds = n / rate
    k = 8 if seconds < 10 else 16 if seconds < 30 else 32
    return ends_round(n, min(k, n))


def rule_short(d):
    """All, then the last one again."""
    n, k = 1 + d.below(50), d.count()
    ids = linspace(n, min(k, n))
    return ids + [n - 1] * (k - len(ids))


def rule_clip_centre(d):
    n, k, stride = d.frames(), d.count(), 1 + d.below(8)
    start = max(0, (n - ((k - 1) * stride + 1)) // 2)
    ids = [i for i in range(start, start + k * stride, stride) if i < n]
    return ids + [ids[-1]] * (k - len(ids))


def rule_clip_random(d):
    """The draw is given: which start it means is the rule's. 'all': what is beyond is left out."""
    n, k, stride = d.frames(), d.count(), 1 + d.below(8)
    fits = n - ((k - 1) * stride + 1) + 1
    at = d.below(1 << 32) / 2.0**32
    start = int(at * fits) if fits > 0 else 0
    return [i for i in range(start, start + k * stride, stride) if i < n]


def rule_times(d):
    n, k = 1 + d.below(400), d.count()
    times, _ = d.times(n)
    if k == 1:
        return [0]
    return [on_screen(times, times[0] + i * (times[-1] - times[0]) / (k - 1)) for i in range(k)]


def rule_times_sec(d):
    n, k = 1 + d.below(400), d.count()
    times, end = d.times(n)
    return [on_screen(times, d.below(1 + int(end * 1000)) / 1000) for _ in range(k)]


def rule_key_frames(d):
    """Key frames of a range of seconds, 'ends' over those."""
    n, k = 1 + d.below(400), d.count()
    times, end = d.times(n)
    gop = 1 + d.below(30)
    a, b = (d.below(1 + int(end * 1000)) / 1000 for _ in range(2))
    inside = [i for i, t in enumerate(times) if min(a, b) <= t + 1e-6 < max(a, b)]
    keys = [i for i in inside if i % gop == 0]
    return [keys[i] for i in ends(len(keys), k)] if keys else []


RULES = {
    f[5:].replace("_", "-"): globals()[f] for f in list(globals()) if f.startswith("rule_")
}


def hash_of(ids, h):
    for i in ids + [-1]:
        h = ((h ^ (i & MASK)) * 0x100000001B3) & MASK
    return h


def main():
    out = []
    for name, rule in RULES.items():
        draws = Draws(name)
        cases = [rule(draws) for _ in range(CASES)]
        hashes = []
        for at in range(0, CASES, BLOCK):
            h = 0xCBF29CE484222325
            for ids in cases[at:at + BLOCK]:
                h = hash_of(ids, h)
            hashes.append(f"0x{h:016x}")
        shown = [" ".join(map(str, ids)) for ids in cases[:SHOWN]]
        rows = "\n".join(f'  "{row}",' for row in shown)
        lines = "\n".join("  " + ", ".join(hashes[i:i + 4]) + "," for i in range(0, len(hashes), 4))
        out.append(f'{{"{name}", {{\n{rows}\n}}, {{\n{lines}\n}}}},')
    peers = f"{PEER}: " + ", ".join(f"{k} {v}" for k, v in AGREED.items()) if PEER else "none"
    head = (f"// Made by test/parity/sampling.py (numpy {np.__version__}); do not edit.\n"
            f"// Cases on which {peers} agreed.\n// clang-format off\n")
    text = head + "\n".join(out) + "\n"
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sampling.inc")
    if "--check" in sys.argv:
        body = lambda t: t.split("// clang-format off\n", 1)[1]
        sys.exit(0 if body(open(path).read()) == body(text) else 1)
    open(path, "w").write(text)
    print(f"{len(out)} rules; agreed with {peers}")


main()
