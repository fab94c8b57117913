"""A model's input in transformers' own way: torchcodec decodes the frames, the model's processor does the rest.

    python transformers_peer.py VIDEO THREADS

Prints one JSON line that names the versions, or what is absent. Each line on stdin is a JSON object
{ preset, ids } and is answered with the time of one call, the shapes, and the processor's time alone. Every
request opens the video anew; processors are made once, as programs do.
"""

import importlib
import json
import os
import resource
import sys
import time
import types
import warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
warnings.filterwarnings("ignore")
video, threads = sys.argv[1], int(sys.argv[2])
try:
    import torch

    # torchvision's native operators are not needed, and may not match the torch that is there.
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
    import torchcodec
    import transformers
    from torchcodec.decoders import VideoDecoder
except (ImportError, RuntimeError, OSError) as error:
    print(json.dumps({"absent": str(error).strip().split("\n")[0]}), flush=True)
    sys.exit(0)

torch.set_num_threads(threads)
transformers.logging.set_verbosity_error()

VIDEO = {
    "videomae": ("videomae", "VideoMAEVideoProcessor"),
    "vivit": ("vivit", "VivitVideoProcessor"),
    "timesformer": ("timesformer", "TimesformerVideoProcessor"),
    "v-jepa-2": ("vjepa2", "VJEPA2VideoProcessor"),
    "qwen2.5-vl": ("qwen2_vl", "Qwen2VLVideoProcessor"),
    "qwen3-vl": ("qwen3_vl", "Qwen3VLVideoProcessor"),
    "glm-4v": ("glm4v", "Glm4vVideoProcessor"),
    "gemma-4": ("gemma4", "Gemma4VideoProcessor"),
    "smolvlm2": ("smolvlm", "SmolVLMVideoProcessor"),
    "internvl": ("internvl", "InternVLVideoProcessor"),
    "llava-onevision": ("llava_onevision", "LlavaOnevisionVideoProcessor"),
    "llava-next-video": ("llava_next_video", "LlavaNextVideoVideoProcessor"),
    "video-llava": ("video_llava", "VideoLlavaVideoProcessor"),
    "videollama3": ("video_llama_3", "VideoLlama3VideoProcessor"),
}
IMAGES = {
    "clip": ("clip", "CLIPImageProcessor"),
    "siglip": ("siglip", "SiglipImageProcessor"),
    "siglip2": ("siglip2", "Siglip2ImageProcessor"),
    "dinov2": ("bit", "BitImageProcessor"),
}
made = {}


def processor(preset):
    if preset not in made:
        module, name = {**VIDEO, **IMAGES}[preset]
        made[preset] = getattr(importlib.import_module("transformers.models." + module), name)()
    return made[preset]


def call(preset, ids):
    run = processor(preset)
    frames = VideoDecoder(video, num_ffmpeg_threads=threads, seek_mode="exact").get_frames_at(ids).data
    decoded = time.perf_counter()
    if preset in IMAGES:
        return decoded, run(list(frames), return_tensors="pt")
    return decoded, run(videos=[frames], do_sample_frames=False, return_tensors="pt")


versions = {"torch": torch.__version__, "torchcodec": torchcodec.__version__, "transformers": transformers.__version__}
print(json.dumps({"ready": True, "versions": versions, "presets": [*VIDEO, *IMAGES]}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        processor(request["preset"])
        cpu = resource.getrusage(resource.RUSAGE_SELF)
        start = time.perf_counter()
        decoded, out = call(request["preset"], request["ids"])
        end = time.perf_counter()
        used = resource.getrusage(resource.RUSAGE_SELF)
        reply = {
            "ms": (end - start) * 1e3,
            "processMs": (end - decoded) * 1e3,
            "cpuMs": (used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime) * 1e3,
            "shapes": {k: list(v.shape) for k, v in out.items() if hasattr(v, "shape")},
        }
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(reply), flush=True)
