"""Weights: those that come with the package, our own exports, and other people's checkpoints.

Ours are 16-bit numbers in NAME.safetensors and, in NAME.json, what they are, how they came to be
and how good they are. The record alone rebuilds the network, so that weights stay of use when
the catalogue no longer holds the run that trained them.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from paperlib import PaperlibError
from paperlib.codecs import Codec, HourglassCodec, RecurrentCodec
from paperlib.compared import ErrorFeedbackCodec, PoseMachineCodec
from paperlib.models import ErrorFeedback, PoseMachine, Recurrent, StackedHourglass
from paperlib.skeleton import SKELETONS, Skeleton
from paperlib.weights.community import read_community
from paperlib.weights.ports import PortedHourglass
from paperlib.writing import write_whole

SHIPPED = Path(__file__).parent
SHARD = 16_000_000  # bytes: the largest file
_MODELS = (Recurrent, StackedHourglass, PoseMachine, ErrorFeedback, PortedHourglass)
_CODECS = (RecurrentCodec, HourglassCodec, PoseMachineCodec, ErrorFeedbackCodec)
_CLASSES = {known.__name__: known for known in (*_MODELS, *_CODECS)}


@dataclass(frozen=True)
class Weights:
    """A network ready to predict, the codec of its heatmaps, and the record of both."""

    name: str
    kind: str  # where they come from, in words: "smoke run"
    model: nn.Module
    codec: Codec
    record: dict
    file: Path  # the record's, or the checkpoint


def shipped() -> dict[str, Path]:
    """The records of the weights that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.json"))}


def record_of(file: Path) -> Path:
    """NAME.json beside NAME.safetensors, or beside its first shard, NAME-1-of-2.safetensors."""
    return file.with_name(re.sub(r"-\d+-of-\d+$", "", file.stem) + ".json")


def save_weights(
    record: dict, model: nn.Module, codec: Codec, options: dict, folder: Path, shard: int = 0
) -> Path:
    """Write `model`, built with `options`, in 16 bits, and its record (with "name", "kind") last.

    A file has at most `shard` bytes, or 16 MB. Raises PaperlibError where a number does not fit
    into 16 bits.
    """
    tensors = {
        name: value.half() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    lost = [name for name, value in tensors.items() if not torch.isfinite(value.float()).all()]
    if lost:
        raise PaperlibError(
            f"{record['name']}: {lost[0]} has numbers beyond 16 bits; these weights cannot be "
            "shipped"
        )
    shards = _shards(tensors, shard or SHARD)
    files = {}
    for i, names in enumerate(shards, 1):
        which = f"-{i}-of-{len(shards)}" if len(shards) > 1 else ""
        path = folder / f"{record['name']}{which}.safetensors"
        write_whole(path, save({name: tensors[name].contiguous() for name in names}))
        files[path.name] = _sha256(path)
    built = described(model, codec, options)
    path = folder / f"{record['name']}.json"
    write_whole(path, json.dumps(record | built | {"files": files}, indent=1) + "\n")
    return path


def load(
    file: str | Path, device: str | torch.device = "cpu", skeleton: Skeleton | None = None
) -> Weights:
    """The network in `file`: .safetensors or .json of ours, or another's checkpoint.

    `model` takes images as `Crops` gives them, (B, 3, S, S), (grey - 128) / 256, and gives the
    heatmaps of every stack; `codec` and `record` hold the joints' order and the crop it was
    trained for. `skeleton` names the joints of a checkpoint whose number its port does not have.
    Raises PaperlibError for a file that is none of those understood, with what was found.
    """
    file = Path(file)
    if not file.is_file():
        what = "a folder" if file.is_dir() else "no such file"
        raise PaperlibError(f"{file}: {what}; name weights with their record, or a checkpoint")
    record = file if file.suffix == ".json" else record_of(file)
    if file.suffix in (".json", ".safetensors") and record.is_file():
        return load_weights(record, device)
    model, codec, known = read_community(file, skeleton)
    return Weights(known["name"], known["kind"], _ready(model, device), codec, known, file)


def described(model: nn.Module, codec: Codec, options: dict) -> dict:
    """What a record says of `model`, built with `options`, and its codec: all that rebuilds
    both."""
    settings = {f.name: getattr(codec, f.name) for f in fields(codec)}
    known = SKELETONS.get(codec.skeleton.name) == codec.skeleton
    settings["skeleton"] = codec.skeleton.name if known else asdict(codec.skeleton)
    return {
        "model": {"class": type(model).__name__, "options": options},
        "codec": {"class": type(codec).__name__, "options": settings},
    }


def load_weights(path: Path, device: str | torch.device = "cpu") -> Weights:
    """The network that record `path` describes. Raises PaperlibError for a record that is damaged,
    or weights that are not the record's."""
    try:
        record = json.loads(path.read_text())
        codec, model = (_built(**record[part]) for part in ("codec", "model"))
        name, kind, files = record["name"], record["kind"], record["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PaperlibError(
            f"{path}: not the record of weights ({type(error).__name__}: {error}); install "
            "the package anew, or export the run"
        ) from error
    tensors = {}
    for file, digest in files.items():
        shard = path.parent / Path(file).name
        if not shard.exists() or _sha256(shard) != digest:
            what = "not the weights that its record speaks of" if shard.exists() else "no such file"
            raise PaperlibError(
                f"{shard}: {what} ({path.name}); put both files of one export side by side"
            )
        tensors |= _read(shard)
    try:
        model.load_state_dict(tensors)  # into 32 bits
    except RuntimeError as error:
        raise PaperlibError(
            f"{path}: its weights are those of another model ({str(error).splitlines()[0]}); "
            "export the run anew"
        ) from error
    return Weights(name, kind, _ready(model, device), codec, record, path)


def _ready(model: nn.Module, device: str | torch.device) -> nn.Module:
    return model.to(device, memory_format=torch.channels_last).eval()


def _built(**described) -> Codec | nn.Module:
    """The model or codec that `described` describes."""
    options = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in described["options"].items()
    }
    if "skeleton" in options:
        options["skeleton"] = _skeleton(options["skeleton"])
    return _CLASSES[described["class"]](**options)


def _skeleton(described: str | dict) -> Skeleton:
    """One of ours by name, or one of somebody's own as its record spells it out."""
    if isinstance(described, str):
        return SKELETONS[described]
    joints, limbs = tuple(described["joints"]), tuple(map(tuple, described["limbs"]))
    groups = tuple((name, tuple(members)) for name, members in described["groups"])
    return Skeleton(described["name"], joints, limbs, groups)


def _read(shard: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(shard)
    except SafetensorError as error:
        raise PaperlibError(
            f"{shard}: not a whole .safetensors file ({error}); fetch it again"
        ) from error


def _shards(tensors: dict[str, torch.Tensor], most: int = SHARD) -> list[list[str]]:
    """Names in the model's order, as many to a shard as fit with its header."""
    shards, size = [[]], 0
    for name, value in tensors.items():
        room = value.nbytes + len(name) + 200
        if shards[-1] and size + room > most:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += room
    return shards


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
