"""Poses in your own photographs, with the best weights at hand."""

import json
from pathlib import Path

import numpy as np
import torch

from paperlib import PaperlibError
from paperlib.data.canvases import cut_canvas
from paperlib.data.images import read_image
from paperlib.geometry import crop_affine
from paperlib.predict import decode, heatmaps, unzoom
from paperlib.reproduce.catalogue import Run, catalogue
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.runs import Trained, is_cached, load, read_record
from paperlib.writing import write_whole

BEST_FIRST = ("hourglass-lsp", "recurrent-lsp", "hourglass", "recurrent")  # LSP's people fill the picture, as a photograph's do
SCALES = (0.85, 1.0, 1.15)


def predict_photos(paths: list[Path], weights: str = "", out: Path | None = None, device: str = "auto") -> tuple[list[dict], str]:
    """What the network sees in each photograph, one person filling the picture, and a line that says whose weights were used.

    With `out`, each photograph with its skeleton as PNG and one predictions.json are written there. Raises PaperlibError for a file that is no
    picture, and where there are no weights.
    """
    photos = [read_image(path, upright=True) for path in paths]
    trained = find_weights(weights, device)
    found = [{"image": str(path), "people": [predict_person(trained, photo)]} for path, photo in zip(paths, photos, strict=True)]
    if out:
        _write(out, paths, photos, found)
    home = trained.folder.parent.name
    return found, f"weights: run {trained.run.name} of {home}, {trained.record['people']} people, {trained.record['steps']} steps ({trained.folder})"


def predict_person(trained: Trained, photo: np.ndarray) -> dict:
    """Joints {name: [x, y, confidence]} in px of `photo` (H, W, 3), how visible each is, and the box: the whole picture.

    Heatmaps are averaged over three scales and the mirrored image. Confidence is the heatmap's maximum / the target's mode, within 0..1; it also
    stands for visibility, which R sec. IV-B ranks by the same maximum: an order, not a calibrated probability.
    """
    codec, (height, width) = trained.run.codec, photo.shape[:2]
    sites = []
    for scale in SCALES:
        box = np.array([[(width - 1) / 2, (height - 1) / 2, max(width, height) / scale]])
        canvas = cut_canvas(photo, crop_affine(box, codec.side)[0], codec.side)
        images = ((torch.from_numpy(canvas).permute(2, 0, 1)[None].float() - 128) / 256).to(next(trained.model.parameters()).device)
        sites.append(unzoom(heatmaps(trained.model, codec, images)[-1], scale))
    to_image = torch.from_numpy(np.linalg.inv(crop_affine(np.array([[(width - 1) / 2, (height - 1) / 2, max(width, height)]]), codec.side)))
    maps = (sum(sites) / len(SCALES)).cpu()
    points, peak, _ = decode(codec, maps, to_image)
    confidence = np.clip(peak[0] / codec.peak, 0, 1)
    joints = codec.skeleton.joints
    return {
        "joints": {name: [float(x), float(y), float(c)] for name, (x, y), c in zip(joints, points[0], confidence, strict=True)},
        "visible": {name: float(c) for name, c in zip(joints, confidence, strict=True)},
        "box": [0.0, 0.0, float(width - 1), float(height - 1)],
    }


def find_weights(weights: str = "", device: str = "auto") -> Trained:
    """A trained run: a weights.safetensors file beside its record.json, a run's name, or, if empty, the best that is here (real data first)."""
    device = "cuda" if device == "auto" and torch.cuda.is_available() else "cpu" if device == "auto" else device
    if weights.endswith(".safetensors"):
        return _load(Path(weights).resolve().parent, device)
    runs = Folders.here().runs
    for name in (weights,) if weights else BEST_FIRST:
        for study in ("real-paper", "real-short", "real-smoke", "synthetic-paper", "synthetic-short", "synthetic-smoke"):
            ready = [folder for folder in (runs / study).glob(f"{name}-*") if _fits(folder, name)]
            if ready:
                return _load(max(ready, key=lambda folder: (folder / "record.json").stat().st_mtime), device)
    wanted = f"weights of run {weights!r}" if weights else "weights"
    raise PaperlibError(
        f"no {wanted} in {runs}; train some with 'paperlib train {weights or 'hourglass-lsp'}', or name a .safetensors file with --weights"
    )


def _load(folder: Path, device: str) -> Trained:
    if not is_cached(folder):
        raise PaperlibError(f"{folder}: no weights.safetensors with a record.json beside it")
    record = read_record(folder)
    if not _fits(folder, record["name"]):
        raise PaperlibError(f"{folder}: trained by another version of the catalogue; train it anew with 'paperlib train {record['name']}'")
    return load(_run(folder, record["name"]), folder, device)


def _fits(folder: Path, name: str) -> bool:
    """Whether `folder` holds run `name` as the catalogue has it today."""
    if not is_cached(folder):
        return False
    record, run = read_record(folder), _run(folder, name)
    return run is not None and record["name"] == name and record["spec"] == run.spec()


def _run(folder: Path, name: str) -> Run | None:
    data, _, size = folder.parent.name.partition("-")
    return catalogue(size, data).get(name)


def _write(out: Path, paths: list[Path], photos: list[np.ndarray], found: list[dict]) -> None:
    from paperlib.show.pictures import photo_with_skeleton

    out.mkdir(parents=True, exist_ok=True)
    for path, photo, entry in zip(paths, photos, found, strict=True):
        photo_with_skeleton(photo, entry["people"]).savefig(out / f"{path.stem}-pose.png", dpi=130, bbox_inches="tight")
    write_whole(out / "predictions.json", json.dumps(found, indent=1))
