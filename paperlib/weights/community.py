"""Other people's checkpoints of the stacked hourglass, read into ours; COMMUNITY.md lists them.

Each port is known by the names of its layers.
"""

import pickle
import re
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from paperlib import PaperlibError
from paperlib.codecs import HourglassCodec
from paperlib.skeleton import Skeleton
from paperlib.weights.lua import read_graph
from paperlib.weights.ports import BEARPAW, NEWELL, PRINCETON, Port, PortedHourglass, build

MARKS = {"hgs.0.0.up1.bn1.weight": PRINCETON, "hg.0.hg.0.0.0.bn1.weight": BEARPAW}
LUA = (b"\3\0\0\0", b"\4\0\0\0")  # how a table and an object begin
UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, LookupError, SafetensorError)
PRINCETONS = {
    r"^pre\.0\.conv": "stem.0",
    r"^pre\.0\.bn": "stem.1",
    r"^pre\.1\.": "stem.3.",
    r"^pre\.([34])\.": lambda m: f"stem.{int(m[1]) + 2}.",
    r"^hgs\.(\d+)\.0": r"hourglasses.\1",
    r"\.low2\.(?!up1|low)": ".low2.up1.",  # the bottom: a residual, no hourglass
    r"\.low2\b": ".inner",
    r"\.up1\b": ".keep.0",
    r"\.low1\b": ".down.0",
    r"\.low3\b": ".up.0",
    r"^features\.(\d+)\.1\.conv": r"rounds.\1.1.0",
    r"^features\.(\d+)\.1\.bn": r"rounds.\1.1.1",
    r"^features": "rounds",
    r"^outs\.(\d+)\.conv": r"junctions.\1.heatmaps",
    r"^merge_features\.(\d+)\.conv\.conv": r"junctions.\1.from_features",
    r"^merge_preds\.(\d+)\.conv\.conv": r"junctions.\1.from_heatmaps",
}
UNDERSTOOD = (
    "understood are princeton-vl/pytorch_stacked_hourglass, bearpaw/pytorch-pose, "
    "anibali/pytorch-stacked-hourglass and the authors' Torch7 files"
)


def read_community(
    path: Path, skeleton: Skeleton | None = None
) -> tuple[PortedHourglass, HourglassCodec, dict]:
    """The network of the checkpoint at `path`, the codec it was trained for, and a record.

    `skeleton` names the joints of the heatmaps where that is not the port's own. Raises
    PaperlibError, with what was found, for a file that is none of those understood.
    """
    with path.open("rb") as file:
        if file.read(4) in LUA:
            return build(path, NEWELL, *read_graph(path), skeleton)
    tensors, found = _tensors(path)
    port, renamed = _ported(tensors)
    if port is None:
        raise PaperlibError(f"{path}: {_lost(path)}no network known here; {found}; {UNDERSTOOD}")
    return build(path, port, _options(path, port, renamed), renamed, skeleton)


def _lost(path: Path) -> str:
    if path.suffix != ".safetensors":
        return ""
    record = re.sub(r"-\d+-of-\d+$", "", path.stem) + ".json"
    return (
        f"without its record, {record} or record.json, nobody knows which network it is; put it "
        "beside the file; else "
    )


# ---------------------------------------------------------------- what a file holds


def _tensors(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a checkpoint by name, and what was found in it, in words."""
    try:
        stored = _stored(path)
    except UNREADABLE as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise PaperlibError(
            f"{path}: not a checkpoint that torch can read ({why}); {UNDERSTOOD}"
        ) from error
    except pickle.UnpicklingError as error:
        held = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"holds a Python object, {held and held[1]}; only tensors are read, since others "
        what += "may run code: torch.save(model.state_dict(), name) writes them"
        raise PaperlibError(
            f"{path}: {what if held else f'not a checkpoint of torch; {UNDERSTOOD}'}"
        ) from error
    if not isinstance(stored, dict):
        return {}, f"it holds one {type(stored).__name__}"
    inner = (stored[key] for key in ("state_dict", "model") if isinstance(stored.get(key), dict))
    tensors = {str(k): v for k, v in next(inner, stored).items() if isinstance(v, Tensor)}
    return tensors, _in_words(stored, tensors)


def _stored(path: Path):
    """Old checkpoints keep an accuracy as a number of numpy's, which is harmless."""
    if path.suffix == ".safetensors":
        return load_file(path)
    scalar = np.float64(0).__reduce__()[0]
    names = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    kinds = (np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType)
    with torch.serialization.safe_globals([*names, *kinds]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _in_words(stored: dict, tensors: dict[str, Tensor]) -> str:
    keys = ", ".join(list(map(str, stored))[:6]) + (", ..." if len(stored) > 6 else "")
    if not tensors:
        return f"its keys are {keys or 'none'}, and it has no tensors by name"
    places = [re.search(r"(?:hgs?|hourglass(?:es)?|stacks?)\.(\d+)\.", name) for name in tensors]
    stacks = 1 + max((int(place[1]) for place in places if place), default=-1)
    guess = f"{stacks} stacks" if stacks else "no stacks"
    return f"its keys are {keys}; {len(tensors)} tensors, whose names speak of {guess}"


# ---------------------------------------------------------------- names


def _ported(tensors: dict[str, Tensor]) -> tuple[Port | None, dict[str, Tensor]]:
    """The port that the tensors come from, and the tensors under our names, without unused ones."""
    for mark, port in MARKS.items():
        before = next((name.removesuffix(mark) for name in tensors if name.endswith(mark)), None)
        if before is not None:
            inner = {k.removeprefix(before): v for k, v in tensors.items() if k.startswith(before)}
            rules = PRINCETONS if port is PRINCETON else _bearpaws(inner)
            return port, _tidied({_renamed(k, rules): v for k, v in inner.items()})
    return None, {}


def _tidied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with the last stack's heatmaps under our name, and without unused skips.

    princeton's residuals hold a skip convolution even where the input itself is added.
    """
    heatmaps = [int(name.split(".")[1]) for name in tensors if ".heatmaps.weight" in name]
    last = f"junctions.{max(heatmaps, default=0)}.heatmaps"
    wide = {name: value.shape[:2] for name, value in tensors.items() if ".skip.weight" in name}
    unused = tuple(name.removesuffix("weight") for name, (a, b) in wide.items() if a == b)
    return {k.replace(last, "heatmaps"): v for k, v in tensors.items() if not k.startswith(unused)}


def _renamed(name: str, rules: dict) -> str:
    """By `rules`, and then the layers of a residual: bn1, conv1, ... conv3 and the skip."""
    for pattern, ours in rules.items():
        name = re.sub(pattern, ours, name)
    name = re.sub(r"\.bn([123])\.", lambda m: f".bottleneck.{3 * int(m[1]) - 3}.", name)
    name = re.sub(r"\.conv([123])\.(conv\.)?", lambda m: f".bottleneck.{3 * int(m[1]) - 1}.", name)
    return re.sub(r"\.(skip_layer\.conv|downsample\.0)\.", ".skip.", name)


def _bearpaws(tensors: dict[str, Tensor]) -> dict:
    """Its levels count from the bottom, and its 1x1 round follows `modules`."""
    top = max(int(m[1]) for name in tensors if (m := re.match(r"hg\.0\.hg\.(\d+)\.", name)))
    blocks = [int(m[1]) for name in tensors if (m := re.match(r"res\.0\.(\d+)\.", name))]
    modules = 1 + max(blocks, default=0)

    def step(m: re.Match) -> str:
        branch = ("keep", "down", "up", "inner.keep")[int(m[3])]
        return f"hourglasses.{m[1]}." + "inner." * (top - int(m[2])) + branch

    return {
        r"^conv1\.": "stem.0.",
        r"^bn1\.": "stem.1.",
        r"^layer1\.0": "stem.3",
        r"^layer2\.0": "stem.5",
        r"^layer3\.0": "stem.6",
        r"^hg\.(\d+)\.hg\.(\d+)\.([0123])": step,
        r"^res\.": "rounds.",
        r"^fc\.(\d+)\.": rf"rounds.\g<1>.{modules}.",
        r"^score\.(\d+)": r"junctions.\1.heatmaps",
        r"^fc_\.(\d+)": r"junctions.\1.from_features",
        r"^score_\.(\d+)": r"junctions.\1.from_heatmaps",
    }


def _options(path: Path, port: Port, tensors: dict[str, Tensor]) -> dict:
    """The options of the StackedHourglass that the `tensors` under our names belong to."""
    if "heatmaps.weight" not in tensors:
        raise PaperlibError(f"{path}: layers named as in {port.name}, but none for heatmaps")
    stacks = {int(m[1]) for name in tensors if (m := re.match(r"hourglasses\.(\d+)", name))}
    keeps = {m[1] for name in tensors if (m := re.match(r"hourglasses\.0\.keep\.(\d+)", name))}
    joints, features = tensors["heatmaps.weight"].shape[:2]
    size = {"stacks": 1 + max(stacks), "modules": len(keeps), "joints": joints}
    depth = max(name.count("inner.") for name in tensors)
    return size | {"features": features, "depth": depth, "stem": port.stem}
