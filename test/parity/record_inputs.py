"""What transformers' own processors make of frames that test/inputs/parity.test.ts makes alike.

    python3 -m venv venv && venv/bin/pip install torch==2.14.1 torchvision==0.29.1 transformers==5.18.0
    venv/bin/python test/parity/record_inputs.py > test/parity/inputs.txt

For each preset its class with its own values and with two others; per case the configuration
(processor.to_dict()), the videos (frames, height, width, seed; frames that repeat the one before; one
sample that is touched) and each tensor's shape, type, SHA-256 and first values.
"""
import hashlib, importlib, json, os, re, sys, types, warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
# torchvision's native operators are not needed, and may not match the torch that is there.
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
warnings.filterwarnings("ignore")
import numpy as np
import torch
import transformers
from transformers.video_utils import VideoMetadata

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


def get(module, name):
    return getattr(importlib.import_module("transformers.models." + module), name)


def frames(video):
    """uint8 [T, 3, H, W]: the upper byte of a 32-bit hash of the place in [T, H, W, 3]."""
    t, h, w = video["frames"], video["height"], video["width"]
    with np.errstate(over="ignore"):
        v = np.arange(t * h * w * 3, dtype=np.uint32) + np.uint32(video["seed"] * 7919)
        v = (v ^ (v >> np.uint32(16))) * np.uint32(0x45D9F3B)
        v = (v ^ (v >> np.uint32(16))) * np.uint32(0x45D9F3B)
        v = v ^ (v >> np.uint32(16))
    a = (v >> np.uint32(24)).astype(np.uint8).reshape(t, h, w, 3)
    for i in video.get("repeat", []):
        a[i] = a[i - 1]
    for i in video.get("touch", []):
        a[i, 0, 0, 0] ^= 255
    return torch.from_numpy(np.ascontiguousarray(a.transpose(0, 3, 1, 2)))


def tensor(value):
    a = np.asarray(value)
    kind = {"float32": "float32", "int64": "int64", "int32": "int32", "bool": "bool"}[str(a.dtype)]
    flat = np.ascontiguousarray(a).reshape(-1)
    head = [v.item() for v in flat[:: max(1, flat.size // 4)][:4]]
    return {"dtype": kind, "shape": list(a.shape), "sha256": hashlib.sha256(flat.tobytes()).hexdigest(),
            "head": head}


A = {"frames": 5, "height": 90, "width": 150, "seed": 1}
B = {"frames": 4, "height": 64, "width": 48, "seed": 2}
C = {"frames": 2, "height": 130, "width": 61, "seed": 3}
B5 = {**B, "frames": 5}
STILL = {**A, "repeat": [1, 3], "touch": [4]}

HALF, TENTHS = [0.5] * 3, [0.1, 0.2, 0.3]
cases = []


def video_case(preset, processor, videos):
    made = [frames(v) for v in videos]
    out = processor(videos=made, do_sample_frames=False, return_tensors="pt")
    out.pop("video_metadata", None)
    add(preset, processor, videos, out)


def image_case(preset, processor, videos, axes=None):
    made = [f for v in videos for f in frames(v)]
    out = processor(made, return_tensors="pt")
    if axes:
        out["pixel_values"] = axes(out["pixel_values"], videos)
    add(preset, processor, videos, out)


def add(preset, processor, videos, out):
    config = json.loads(json.dumps(processor.to_dict(), default=str))
    cases.append({"preset": preset, "config": config, "videos": videos,
                  "tensors": {k: tensor(v) for k, v in out.items()}})


def cropped(preset, make, run=video_case, same=None):
    """Classes that resize the shorter side and crop, or resize to both sides."""
    same = same or [A, B5]
    run(preset, make(), [A])
    run(preset, make(), [B])
    run(preset, make(), same)
    other = {"image_mean": TENTHS, "image_std": HALF}
    run(preset, make(size={"shortest_edge": 70}, crop_size={"height": 64, "width": 64}, resample=3, **other), [C])
    run(preset, make(size={"height": 96, "width": 80}, do_center_crop=False, resample=2), [A])
    run(preset, make(size={"shortest_edge": 48}, crop_size={"height": 80, "width": 80}, do_normalize=False), [B])


def exact(preset, make, run=video_case):
    run(preset, make(), [A])
    run(preset, make(), [B])
    run(preset, make(), [A, B5])
    run(preset, make(size={"height": 112, "width": 84}, resample=2, image_mean=TENTHS, image_std=HALF), [C])
    run(preset, make(size={"height": 56, "width": 56}, do_normalize=False), [A])
    run(preset, make(size={"height": 56, "width": 56}, do_rescale=False), [B])


for preset, module, name in (
    ("videomae", "videomae", "VideoMAEVideoProcessor"),
    ("vivit", "vivit", "VivitVideoProcessor"),
    ("timesformer", "timesformer", "TimesformerVideoProcessor"),
    ("x-clip", "videomae", "VideoMAEVideoProcessor"),
    ("llava-next-video", "llava_next_video", "LlavaNextVideoVideoProcessor"),
    ("video-llava", "video_llava", "VideoLlavaVideoProcessor"),
):
    cropped(preset, get(module, name))
V = get("vjepa2", "VJEPA2VideoProcessor")
video_case("v-jepa-2", V(), [A])
video_case("v-jepa-2", V(), [B])
video_case("v-jepa-2", V(), [A, B5])
video_case("v-jepa-2", V(crop_size=96, image_mean=TENTHS), [C])
video_case("v-jepa-2", V(crop_size=64, resample=3), [B])
for preset, module, name in (
    ("internvl", "internvl", "InternVLVideoProcessor"),
    ("llava-onevision", "llava_onevision", "LlavaOnevisionVideoProcessor"),
):
    exact(preset, get(module, name))
cropped("clip", get("clip", "CLIPImageProcessor"), image_case)
cropped("dinov2", get("bit", "BitImageProcessor"), image_case)
exact("siglip", get("siglip", "SiglipImageProcessor"), image_case)

C3 = get("clip", "CLIPImageProcessor")
by_frame = lambda x, videos: torch.stack([f.transpose(0, 1) for f in x.split([v["frames"] for v in videos])])
image_case("onevision-encoder", C3(), [A], by_frame)
image_case("onevision-encoder", C3(), [A, B5], by_frame)
image_case("onevision-encoder", C3(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}), [C], by_frame)

S2 = get("siglip2", "Siglip2ImageProcessor")
image_case("siglip2", S2(), [A])
image_case("siglip2", S2(), [B, C])
image_case("siglip2", S2(patch_size=14, max_num_patches=100), [C])
image_case("siglip2", S2(max_num_patches=64, resample=3, image_mean=TENTHS, image_std=HALF), [A])

Q2 = get("qwen2_vl", "Qwen2VLVideoProcessor")
for preset in ("qwen2-vl", "qwen2.5-vl"):
    video_case(preset, Q2(), [A])
    video_case(preset, Q2(), [B, C])
    video_case(preset, Q2(), [{**C, "frames": 1}])
    video_case(preset, Q2(min_pixels=3136, max_pixels=20000), [A, B])
    video_case(preset, Q2(patch_size=16, merge_size=1, size={"shortest_edge": 1024, "longest_edge": 9000},
                          image_mean=HALF, image_std=TENTHS), [B5])
    video_case(preset, Q2(cap_pixels_per_frame=True, max_video_tokens=20, min_pixels=3136, max_pixels=20000), [A])
Q3 = get("qwen3_vl", "Qwen3VLVideoProcessor")
video_case("qwen3-vl", Q3(), [A])
video_case("qwen3-vl", Q3(), [B, C])
video_case("qwen3-vl", Q3(size={"shortest_edge": 4096, "longest_edge": 25165824}), [{**A, "frames": 4}])
video_case("qwen3-vl", Q3(patch_size=14, size={"shortest_edge": 4096, "longest_edge": 60000}), [A, B5])
video_case("qwen3-vl", Q3(cap_pixels_per_frame=True, max_video_tokens=12,
                          size={"shortest_edge": 4096, "longest_edge": 250000}), [A])
V3 = get("video_llama_3", "VideoLlama3VideoProcessor")
video_case("videollama3", V3(), [STILL])
video_case("videollama3", V3(), [{**B, "frames": 1}, C])
video_case("videollama3", V3(min_pixels=12544, max_pixels=200000), [STILL, B])
video_case("videollama3", V3(merge_size=1, size={"shortest_edge": 3136, "longest_edge": 90000}), [STILL])
video_case("llava-onevision-2", Q2(temporal_patch_size=1, size={"shortest_edge": 20000, "longest_edge": 50000}), [A, B])
# Qwen3.5 has Qwen3-VL's processor.
video_case("qwen3.5", Q3(size={"shortest_edge": 4096, "longest_edge": 25165824}), [A])
video_case("qwen3.5", Q3(), [{**B, "frames": 3}, C])
video_case("qwen3.5", Q3(patch_size=14, image_mean=TENTHS, size={"shortest_edge": 8192, "longest_edge": 40000}), [A, B5])
G41, G46 = get("glm4v", "Glm4vVideoProcessor"), get("glm46v", "Glm46VVideoProcessor")
for preset, G in (("glm-4v", G41), ("glm-4.6v", G46)):
    video_case(preset, G(), [A])
    video_case(preset, G(), [B, C])
    video_case(preset, G(size={"shortest_edge": 12544, "longest_edge": 60000}), [A, B5])
    video_case(preset, G(patch_size=16, image_mean=HALF, image_std=TENTHS, size={"shortest_edge": 100000, "longest_edge": 900000}), [C])
G4 = get("gemma4", "Gemma4VideoProcessor")
video_case("gemma-4", G4(), [A])
video_case("gemma-4", G4(), [A, B5])
video_case("gemma-4", G4(max_soft_tokens=140, image_mean=TENTHS, image_std=HALF), [B])
video_case("gemma-4", G4(patch_size=14, pooling_kernel_size=2, resample=2), [C])
video_case("gemma-4", G4(), [{"frames": 2, "height": 8, "width": 700, "seed": 4}])
L2 = get("lfm2_vl", "Lfm2VlImageProcessor")
image_case("lfm2-vl", L2(), [A])
image_case("lfm2-vl", L2(do_image_splitting=False), [B, {"frames": 1, "height": 900, "width": 1200, "seed": 5}])
image_case("lfm2-vl", L2(do_image_splitting=False, max_image_tokens=100, min_image_tokens=20, resample=3, image_mean=TENTHS), [A, C])
image_case("lfm2-vl", L2(encoder_patch_size=14, downsample_factor=1, image_std=TENTHS), [C])
SM = get("smolvlm", "SmolVLMVideoProcessor")
video_case("smolvlm2", SM(), [A])
video_case("smolvlm2", SM(), [A, {**B, "frames": 3}])
video_case("smolvlm2", SM(size={"longest_edge": 121}, max_image_size={"longest_edge": 56}), [C])
video_case("smolvlm2", SM(video_sampling={"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 99}},
                          max_image_size={"longest_edge": 64}, image_mean=TENTHS), [B])

# Which frames: the class's own sample_frames for videos of so many frames, and the times that its prompt has.
PROMPTS = {
    "qwen3-vl": ("qwen3_vl", "Qwen3VLProcessor", r"<([0-9.]+) seconds>"),
    "qwen3.5": ("qwen3_vl", "Qwen3VLProcessor", r"<([0-9.]+) seconds>"),
    "glm-4v": ("glm4v", "Glm4vProcessor", r"<.end_of_image.>([0-9]+)"),
    "glm-4.6v": ("glm46v", "Glm46VProcessor", r"<.end_of_image.>([0-9.]+) seconds"),
    "gemma-4": ("gemma4", "Gemma4Processor", r"([0-9]+:[0-9]+) "),
}


def prompt_times(preset, processor, ids, n, rate):
    """The prompt that the model's processor writes for these frames, one token each; only its times are kept."""
    # GLM's prompts take every second time, whatever a temporal patch has.
    if preset not in PROMPTS or getattr(processor, "temporal_patch_size", 2) != 2:
        return {}
    module, name, pattern = PROMPTS[preset]
    Processor = get(module, name)
    writer = Processor.__new__(Processor)
    writer.video_processor = processor
    for token in ("image_token", "video_token", "vision_start_token", "vision_end_token", "boi_token", "eoi_token"):
        setattr(writer, token, "")
    meta = VideoMetadata(total_num_frames=n, fps=rate, duration=n / rate, frames_indices=list(ids))
    per_step = getattr(processor, "temporal_patch_size", 1)
    grid = torch.tensor([[-(-len(ids) // per_step), 2, 2]])
    text = writer.replace_video_token(
        {"video_grid_thw": grid, "video_metadata": [meta], "num_soft_tokens_per_video": [1]}, 0)
    return {"times": re.findall(pattern, text)}


samples = []
for preset, module, name, options in (
    ("qwen2-vl", "qwen2_vl", "Qwen2VLVideoProcessor", [{"fps": 2}, {"fps": 5, "max_frames": 9}, {"num_frames": 7}]),
    ("qwen3-vl", "qwen3_vl", "Qwen3VLVideoProcessor", [{}, {"fps": 3, "max_frames": 9}, {"fps": None, "num_frames": 7}]),
    ("videollama3", "video_llama_3", "VideoLlama3VideoProcessor", [{"fps": 1}, {"fps": 4, "max_frames": 7}, {"num_frames": 6}]),
    ("internvl", "internvl", "InternVLVideoProcessor", [{"num_frames": 8}, {"num_frames": 5}, {"fps": 2}]),
    ("llava-onevision", "llava_onevision", "LlavaOnevisionVideoProcessor", [{"num_frames": 8}, {"num_frames": 5}, {"fps": 3}]),
    ("smolvlm2", "smolvlm", "SmolVLMVideoProcessor", [{"fps": 1, "num_frames": 64}, {"fps": 3, "num_frames": 4}]),
    ("gemma-4", "gemma4", "Gemma4VideoProcessor", [{"num_frames": 32}, {"num_frames": 5}, {"num_frames": 8}]),
    ("qwen3.5", "qwen3_vl", "Qwen3VLVideoProcessor", [{}, {"fps": 5, "max_frames": 8}]),
    ("glm-4v", "glm4v", "Glm4vVideoProcessor", [{}, {"fps": 3}, {"fps": 4, "max_duration": 2}]),
    ("glm-4.6v", "glm46v", "Glm46VVideoProcessor", [{}, {"temporal_patch_size": 1}]),
):
    for option in options:
        given = {k: v for k, v in option.items() if v is not None}
        processor = get(module, name)(**given)
        if "fps" in option and option["fps"] is None:
            processor.fps = None
        long = ((330, 8), (2500, 8)) if preset.startswith("glm") else ()
        for n, rate in ((24, 8), (50, 25), (75, 25), *long):
            meta = VideoMetadata(total_num_frames=n, fps=rate, duration=n / rate, width=64, height=48)
            asked = {k: v for k, v in given.items() if k != "max_duration" and k != "temporal_patch_size"}
            if preset == "gemma-4":
                asked["num_frames"] = min(asked["num_frames"], n)
            ids = [int(i) for i in processor.sample_frames(meta, **asked)]
            config = {**json.loads(json.dumps(processor.to_dict(), default=str))}
            if "fps" in option and option["fps"] is None:
                config["fps"] = None
            samples.append({"preset": preset, "config": config, "frames": n, "rate": rate, "ids": ids,
                            **prompt_times(preset, processor, ids, n, rate)})

out = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "cases": cases,
       "samples": samples}
print("{\n" + ",\n".join(
    f"  {json.dumps(k)}: " + (json.dumps(v) if not isinstance(v, list) else "[\n" + ",\n".join("    " + json.dumps(c) for c in v) + "\n  ]")
    for k, v in out.items()) + "\n}")
