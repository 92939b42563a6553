"""A network for other programs: ONNX, or our own .safetensors with a record."""

import importlib.util
import json
import logging
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from paperlib import PaperlibError
from paperlib.predict import folded
from paperlib.weights import Weights, save_weights
from paperlib.writing import make_folder

OPSET = 18  # of ONNX: read by onnxruntime 1.14 and later
NEEDED = ("onnx", "onnxruntime", "onnxscript")


class _Answer(nn.Module):
    """The heatmaps of the last site alone."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images)[-1]


def export_onnx(weights: Weights, file: Path) -> dict:
    """Write the network to `file`: "images" in, "heatmaps" out, any number of images at once.

    "images" is (B, 3, side, side) float32, RGB, (grey - 128) / 256 as `Crops` gives them;
    "heatmaps" is (B, K, h, w) of the last site. The file's metadata say so, name the joints, and
    give the crop; what is no text there is JSON. Returns the metadata. Raises PaperlibError without
    the packages of the extra.
    """
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        raise PaperlibError(
            f"{file}: not written; ONNX needs {' and '.join(absent)}: pip install "
            "'two-pose-papers[onnx]'"
        )
    model, codec = _Answer(folded(weights.model)).cpu().eval(), weights.codec
    images = torch.zeros(2, 3, codec.side, codec.side)
    known = {
        "name": weights.name,
        "images": "(B, 3, side, side) float32, RGB, (grey - 128) / 256",
        "joints": list(codec.skeleton.joints),
        "crop": f"200 px x scale x {codec.margin}, moved down by {codec.shift} px x scale",
        "outside": weights.record.get("outside", 128),  # grey value
        "side": codec.side,
        "opset": OPSET,
    }
    make_folder(file.parent)
    program = _program(model, images)
    stored = {key: v if isinstance(v, str) else json.dumps(v) for key, v in known.items()}
    program.model.metadata_props.update(stored)
    program.save(file)
    return known


def _program(model: nn.Module, images: Tensor):
    """The ONNX program of `model`, without the messages of the exporter."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.onnx.export(
                model,
                (images,),
                input_names=["images"],
                output_names=["heatmaps"],
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    finally:
        logging.disable(logging.NOTSET)


def export_safetensors(weights: Weights, file: Path) -> Path:
    """Write NAME.safetensors, 16 bits, and its record NAME.json, whose path is returned.

    Raises PaperlibError where a number does not fit into 16 bits.
    """
    if file.suffix != ".safetensors":
        raise PaperlibError(f"{file}: the name ends in .safetensors; its record lies beside it")
    built = weights.record["model"]["options"]
    record = weights.record | {"name": file.stem, "kind": weights.kind}
    one = sys.maxsize  # bytes: one file, however large
    return save_weights(record, weights.model, weights.codec, built, file.parent, one)
