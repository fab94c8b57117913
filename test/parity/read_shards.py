"""Shards as Python's readers see them: webdataset, Hugging Face datasets, safetensors, tarfile with NumPy.

    python3 -m venv venv && venv/bin/pip install webdataset datasets safetensors numpy ml_dtypes
    CPS_PYTHON=$PWD/venv/bin/python npm test -- test/cli/shard-readers.test.ts

Takes two folders that extract has written of the same videos, with npy and with safetensors members.
Prints for each reader, sample and tensor: type, shape, SHA-256 of the elements; and the JSON member.
"""
import glob, hashlib, io, json, os, sys, tarfile, tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
os.environ["HF_HOME"] = tempfile.mkdtemp()
import datasets, numpy as np, safetensors, safetensors.numpy, webdataset

datasets.disable_progress_bars()


def told(array):
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return {"dtype": str(array.dtype), "shape": list(array.shape), "sha256": digest}


def npy_members(sample):
    return {name[:-4]: told(value) for name, value in sample.items() if name.endswith(".npy")}


def with_webdataset(files):
    for sample in webdataset.WebDataset(files, shardshuffle=False).decode():
        yield sample["__key__"], npy_members(sample), sample["json"]


def with_datasets(files, streaming):
    data = datasets.load_dataset("webdataset", data_files=files, split="train", streaming=streaming)
    # Arrow knows nothing of NumPy's types: the declared ones give them back.
    for sample in data:
        yield sample["__key__"], sample, sample["json"]


def with_tarfile(files):
    for file in files:
        samples = {}
        with tarfile.open(file) as tar:
            for member in tar:
                key, name = member.name.split(".", 1)
                samples.setdefault(key, {})[name] = tar.extractfile(member).read()
        for key, sample in samples.items():
            arrays = {n: np.load(io.BytesIO(b)) for n, b in sample.items() if n.endswith(".npy")}
            yield key, npy_members(arrays), json.loads(sample["json"])


def with_safetensors(files):
    for sample in webdataset.WebDataset(files, shardshuffle=False):
        tensors = safetensors.numpy.load(sample["safetensors"])
        yield sample["__key__"], {n: told(v) for n, v in tensors.items()}, json.loads(sample["json"])


def values(array, like):
    """Nested lists of Arrow in NumPy's type again."""
    return told(np.array(array, dtype=like["dtype"]).reshape(like["shape"]))


npy, safe = (sorted(glob.glob(os.path.join(folder, "*.tar"))) for folder in sys.argv[1:3])
result = {}
for reader, samples in (("tarfile", with_tarfile(npy)), ("webdataset", with_webdataset(npy)), ("safetensors", with_safetensors(safe))):
    result[reader] = {key: {"tensors": tensors, "json": facts} for key, tensors, facts in samples}
for streaming in (False, True):
    reader = "datasets, streaming" if streaming else "datasets"
    result[reader] = {}
    for key, sample, facts in with_datasets(npy, streaming):
        known = result["tarfile"][key]["tensors"]
        tensors = {name: values(sample[name + ".npy"], known[name]) for name in known}
        result[reader][key] = {"tensors": tensors, "json": facts}
versions = {m.__name__: m.__version__ for m in (np, webdataset, datasets, safetensors)}
json.dump({"versions": versions, "readers": result}, sys.stdout)
