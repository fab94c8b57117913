"""Tiny models with random weights, of the architectures that examples and tests feed: no trained model is
needed to see that tensors arrive as they should.

    python3 -m venv venv && venv/bin/pip install torch==2.14.1 torchvision==0.29.1 transformers==5.18.0 onnx
    venv/bin/python examples/models/make.py [NAME...] [--onevision-encoder FOLDER]

Writes NAME.onnx beside this file, and outputs.json: what PyTorch gives for the frames that
the tests of the adapter feed, by the model's own processor. FOLDER holds OneVision-Encoder's classes, which are in no
package: transformers_impl/onevision_encoder of github.com/EvolvingLMMs-Lab/LLaVA-OneVision-2 (made with 2c3c25e).
Models that are not named, or whose classes are not there, stay as they are.
"""
import argparse, importlib, json, os, sys, types, warnings

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))
warnings.filterwarnings("ignore")
import numpy as np
import torch
import transformers

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
HERE = os.path.dirname(os.path.abspath(__file__))


parser = argparse.ArgumentParser()
parser.add_argument("names", nargs="*")
parser.add_argument("--onevision-encoder")
arguments = parser.parse_args()
wanted = lambda name: not arguments.names or name in arguments.names


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
OUTPUTS = os.path.join(HERE, "outputs.json")
recorded = json.load(open(OUTPUTS)) if os.path.exists(OUTPUTS) else {}


def make(preset, name, model, processor, names, key, pick=lambda o: o.last_hidden_state, images=False, extra=None,
         count=4, opset=17):
    if not wanted(name):
        return
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



def export(name, module, inputs, outputs, values, dynamic):
    """Any module as NAME.onnx; `dynamic` names the open axes of each value."""
    path = os.path.join(HERE, name + ".onnx")
    torch.onnx.export(module.eval(), values, path, input_names=inputs, output_names=outputs, dynamo=False,
                      opset_version=17, dynamic_axes=dynamic)
    print(name, os.path.getsize(path))


# A vision-language model in the three parts in which transformers.js loads one: its shape, not a published one's.
HIDDEN, HEADS, VOCABULARY, SIDE = 16, 2, 48, 32


class TinyVision(torch.nn.Module):
    """[B, F, 3, S, S] and a mask of pixels to four features per frame."""

    def __init__(self):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, HIDDEN, 16, 16)

    def forward(self, pixel_values, pixel_attention_mask):
        frames = (pixel_values * pixel_attention_mask.unsqueeze(2).to(pixel_values.dtype)).flatten(0, 1)
        return torch.tanh(self.patches(frames).flatten(2).transpose(1, 2))


class TinyDecoder(torch.nn.Module):
    """One block of causal attention with its cache, and logits."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = torch.nn.Linear(HIDDEN, 3 * HIDDEN), torch.nn.Linear(HIDDEN, HIDDEN)
        self.logits = torch.nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, inputs_embeds, attention_mask, past_key, past_value):
        # By sizes that are asked for: those that flatten and unflatten work out are burnt into the export.
        batch, length = inputs_embeds.shape[0], inputs_embeds.shape[1]
        heads = lambda x: x.reshape(batch, length, HEADS, HIDDEN // HEADS).transpose(1, 2)
        q, k, v = (heads(x) for x in self.qkv(inputs_embeds).split(HIDDEN, -1))
        k, v = torch.cat((past_key, k), 2), torch.cat((past_value, v), 2)
        scores = q @ k.transpose(-1, -2) / (HIDDEN // HEADS) ** 0.5
        past = past_key.shape[2]
        keys, queries = torch.arange(past + length), torch.arange(length) + past
        causal = keys[None, :] <= queries[:, None]
        seen = causal[None, None] & (attention_mask[:, None, None, :] > 0)
        mixed = torch.softmax(torch.where(seen, scores, torch.tensor(-1e9)), -1) @ v
        x = inputs_embeds + self.out(mixed.transpose(1, 2).reshape(batch, length, HIDDEN))
        return self.logits(torch.tanh(x)), k, v


def random(module):
    for p in module.parameters():
        torch.nn.init.normal_(p, std=0.4)
    return module


if wanted("smolvlm"):
    torch.manual_seed(11)
    export("smolvlm-vision", random(TinyVision()), ["pixel_values", "pixel_attention_mask"], ["image_features"],
           (torch.zeros(1, 2, 3, SIDE, SIDE), torch.ones(1, 2, SIDE, SIDE, dtype=torch.bool)),
           {"pixel_values": {0: "batch", 1: "frames"}, "pixel_attention_mask": {0: "batch", 1: "frames"},
            "image_features": {0: "frames"}})
    export("smolvlm-embed", random(torch.nn.Embedding(VOCABULARY, HIDDEN)), ["input_ids"], ["inputs_embeds"],
           (torch.zeros(1, 4, dtype=torch.int64),),
           {"input_ids": {0: "batch", 1: "length"}, "inputs_embeds": {0: "batch", 1: "length"}})
    cache = torch.zeros(1, HEADS, 3, HIDDEN // HEADS)
    caches = ["past_key_values.0.key", "past_key_values.0.value"]
    presents = ["present.0.key", "present.0.value"]
    export("smolvlm-decoder", random(TinyDecoder()), ["inputs_embeds", "attention_mask", *caches], ["logits", *presents],
           (torch.zeros(1, 4, HIDDEN), torch.ones(1, 7, dtype=torch.int64), cache, cache),
           {"inputs_embeds": {0: "batch", 1: "length"}, "attention_mask": {0: "batch", 1: "all"},
            "logits": {0: "batch", 1: "length"}, **{c: {0: "batch", 2: "past"} for c in caches},
            **{p: {0: "batch", 2: "all"} for p in presents}})

if arguments.onevision_encoder and wanted("onevision-encoder"):
    folder = os.path.abspath(arguments.onevision_encoder)
    sys.path.insert(0, os.path.dirname(folder))
    package = os.path.basename(folder)
    Config = getattr(importlib.import_module(package + ".configuration_onevision_encoder"), "OneVisionEncoderConfig")
    Model = getattr(importlib.import_module(package + ".modeling_onevision_encoder"), "OneVisionEncoderModel")
    torch.manual_seed(7)
    config = Config(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1, patch_size=14,
                    image_size=28, attn_implementation="eager")
    model = Model(config).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    model.video_rope.reset_inv_freqs()
    wrapped = Output(model, ["pixel_values", "visible_indices"], lambda o: o.last_hidden_state)
    Processor = get("clip", "CLIPImageProcessor")

    def chunk(side, count, height, width, videos=1):
        """Frames [n, 3, F, side, side], and their places over 64 frames, as the model's evaluation makes them."""
        processor = Processor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
        made = [processor([f for f in frames(count, height, width, 1 + v)], return_tensors="pt")["pixel_values"]
                for v in range(videos)]
        places = np.linspace(0, 63, count, dtype=int)
        per_frame = (side // 14) ** 2
        indices = torch.tensor([[t * per_frame + i for t in places for i in range(per_frame)]] * videos)
        return processor, torch.stack([m.transpose(0, 1) for m in made]), indices

    # Traced with one size; the others have other numbers of videos, frames and patches.
    _, pixels, indices = chunk(28, 4, 50, 70)
    with torch.no_grad():
        export("onevision-encoder", wrapped, ["pixel_values", "visible_indices"], ["output"], (pixels, indices),
               {"pixel_values": {0: "batch", 2: "frames", 3: "height", 4: "width"},
                "visible_indices": {0: "batch", 1: "patches"}, "output": {0: "batch", 1: "patches"}})
        for name, size in (("onevision-encoder", (28, 4, 50, 70)), ("onevision-encoder, larger", (42, 7, 60, 50, 2)),
                           ("onevision-encoder, one frame", (56, 1, 90, 60))):
            processor, pixels, indices = chunk(*size)
            result = wrapped(pixels, indices)
            recorded[name] = {"preset": "onevision-encoder",
                              "config": json.loads(json.dumps(processor.to_dict(), default=str)),
                              "frames": list(size[1:4]), "videos": len(pixels), "shape": list(result.shape),
                              "output": [round(v, 7) for v in result.flatten().tolist()[:: max(1, result.numel() // 256)]]}
            print(name, list(result.shape))

with open(OUTPUTS, "w") as out:
    out.write("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in recorded.items()) + "\n}\n")
