"""Tiny models with random weights, of the architectures that examples and tests feed: no trained model is
needed to see that tensors arrive as they should.

    python3 -m venv venv && venv/bin/pip install torch==2.14.1 torchvision==0.29.1 transformers==5.18.0 onnx
    venv/bin/python examples/models/make.py

Writes NAME.onnx beside this file, and outputs.json: what PyTorch gives for the frames that
the tests of the adapter feed, by the model's own processor.
"""
import importlib, json, os, sys, types, warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
warnings.filterwarnings("ignore")
import numpy as np
import torch
import transformers

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
HERE = os.path.dirname(os.path.abspath(__file__))


def get(module, name):
    return getattr(importlib.import_module("transformers.models." + module), name)


def frames(count, height, width, seed=1):
    """As test/parity/record_inputs.py makes them."""
    with np.errstate(over="ignore"):
        v = np.arange(count * height * width * 3, dtype=np.uint32) + np.uint32(seed * 7919)
        v = (v ^ (v >> np.uint32(16))) * np.uint32(0x45D9F3B)
        v = (v ^ (v >> np.uint32(16))) * np.uint32(0x45D9F3B)
        v = v ^ (v >> np.uint32(16))
    a = (v >> np.uint32(24)).astype(np.uint8).reshape(count, height, width, 3)
    return torch.from_numpy(np.ascontiguousarray(a.transpose(0, 3, 1, 2)))


class Output(torch.nn.Module):
    """One output of a model, by position, of its inputs by position."""

    def __init__(self, model, names, pick, extra=None):
        super().__init__()
        self.model, self.names, self.pick, self.extra = model, names, pick, extra or {}

    def forward(self, *values):
        return self.pick(self.model(**dict(zip(self.names, values)), **self.extra))


COMMON = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
recorded = {}


def make(preset, name, model, processor, names, key, pick=lambda o: o.last_hidden_state, images=False, extra=None,
         count=4, opset=17):
    torch.manual_seed(7)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    model.eval()
    model.set_attn_implementation("eager") if hasattr(model, "set_attn_implementation") else None
    video = frames(count, 50, 70)
    out = processor([f for f in video] if images else [video], return_tensors="pt",
                    **({} if images else {"do_sample_frames": False}))
    values = tuple(out[k] for k in key)
    wrapped = Output(model, names, pick, extra)
    with torch.no_grad():
        result = wrapped(*values)
    path = os.path.join(HERE, name + ".onnx")
    torch.onnx.export(wrapped, values, path, input_names=list(key), output_names=["output"], dynamo=False,
                      opset_version=opset, dynamic_axes={k: {0: "batch"} for k in (*key, "output")})
    flat = result.flatten().tolist()
    recorded[name] = {"preset": preset, "config": json.loads(json.dumps(processor.to_dict(), default=str)),
                      "frames": [count, 50, 70], "shape": list(result.shape),
                      "output": [round(v, 7) for v in flat[:64]]}
    print(name, os.path.getsize(path), list(result.shape))


CROP = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}
for name, module, config, model, processor, extra in (
    ("videomae", "videomae", "VideoMAEConfig", "VideoMAEModel", "VideoMAEVideoProcessor", {}),
    ("vivit", "vivit", "VivitConfig", "VivitModel", "VivitVideoProcessor", {}),
    ("timesformer", "timesformer", "TimesformerConfig", "TimesformerModel", "TimesformerVideoProcessor", {}),
):
    sizes = {"image_size": 32, "num_frames": 4, **COMMON}
    if name != "vivit":
        sizes["patch_size"] = 16
    else:
        sizes["tubelet_size"] = [2, 16, 16]
    make(name, name, get(module, model)(get(module, config)(**sizes)), get(module, processor)(**CROP),
         ["pixel_values"], ["pixel_values"])
J = get("vjepa2", "VJEPA2Config")(crop_size=32, patch_size=16, frames_per_clip=4, hidden_size=12, num_attention_heads=1,
                                  num_hidden_layers=1, pred_hidden_size=12, pred_num_attention_heads=1,
                                  pred_num_hidden_layers=1, mlp_ratio=2)
make("v-jepa-2", "v-jepa-2", get("vjepa2", "VJEPA2Model")(J), get("vjepa2", "VJEPA2VideoProcessor")(crop_size=32),
     ["pixel_values_videos"], ["pixel_values_videos"], extra={"skip_predictor": True})
C = get("clip", "CLIPVisionConfig")(image_size=32, patch_size=16, projection_dim=16, **COMMON)
make("clip", "clip", get("clip", "CLIPVisionModelWithProjection")(C), get("clip", "CLIPImageProcessor")(**CROP),
     ["pixel_values"], ["pixel_values"], pick=lambda o: o.image_embeds, images=True)
S = get("siglip", "SiglipVisionConfig")(image_size=32, patch_size=16, **COMMON)
make("siglip", "siglip", get("siglip", "SiglipVisionModel")(S),
     get("siglip", "SiglipImageProcessor")(size={"height": 32, "width": 32}), ["pixel_values"], ["pixel_values"],
     pick=lambda o: o.pooler_output, images=True)

with open(os.path.join(HERE, "outputs.json"), "w") as out:
    out.write("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in recorded.items()) + "\n}\n")
