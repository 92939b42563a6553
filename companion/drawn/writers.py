"""Writes drawn people in the official formats of MPII, LSP, FLIC and COCO, so that the loaders of
the real data read them.

Image i of a set depends on (seed, set, i) alone: not on the order, the number of processes or the
other sets. Labels are the drawing's truth, except for MPII's centre and scale, which are a little
off as an annotator's are. Every file is written whole or not at all.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from scipy.io import savemat

from companion.drawn import annotation, scenes
from companion.drawn.annotation import Person
from companion.drawn.scenes import DEFAULT, Difficulty, Scene
from paperlib import PaperlibError
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import COCO, FLIC, LSP, MPII, joint_map
from paperlib.writing import write_whole

JPEG_QUALITY = 92
FLIC_SCALE, FLIC_BOX = 2.2, 440  # of the official 720 x 480 frames, whose proportion is kept
# how MATLAB's JSON writer put an empty array
_NO_ARRAY = {"_ArrayType_": "double", "_ArraySize_": [0, 0], "_ArrayData_": None}
_WORTH_PROCESSES = 200  # images; starting a process takes as long as drawing some hundred


@dataclass(frozen=True)
class Drawing:
    """How pictures are drawn: `side` px, as each scene has it, among `jobs` processes of one thread
    each; `tick(1)` is called after every image."""

    side: int
    seed: int
    jobs: int = 1
    tick: Callable[[int], Any] | None = None
    difficulty: Difficulty = DEFAULT

    def draw(self, note: Callable, kind: Callable, name: str, files: list[Path]) -> list:
        """Draw one picture of the set `name` a file, and return what `note` says of each, in
        order."""
        work = partial(_draw_one, note, kind, name, replace(self, tick=None))
        try:
            with self._mapping(len(files)) as mapped:
                notes = []
                for drawn in mapped(work, enumerate(files)):
                    notes.append(drawn)
                    if self.tick:
                        self.tick(1)
                return notes
        except BrokenProcessPool as error:
            raise PaperlibError(
                f"{files[0].parent}: a drawing process died (memory, or a script without a main "
                "guard); ask for jobs=1"
            ) from error

    @contextmanager
    def _mapping(self, count: int) -> Iterator[Callable]:
        if self.jobs <= 1 or count < _WORTH_PROCESSES:
            yield map
            return
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.jobs, spawn, cv2.setNumThreads, (1,)) as pool:
            yield partial(pool.map, chunksize=8)


def write_mpii(folder: str | Path, train: int, valid: int, drawing: Drawing) -> None:
    """<folder>/mpii_annotations.json and images/: one record a picture, a second person among its
    others. The format: paperlib.data.mpii."""
    folder, records = Path(folder), []
    for is_validation, (split, count) in enumerate((("train", train), ("valid", valid))):
        files = [folder / "images" / f"{is_validation}{i + 1:08d}.jpg" for i in range(count)]
        notes = drawing.draw(_note_mpii, scenes.mpii_scene, f"mpii {split}", files)
        for file, note in zip(files, notes, strict=True):
            head = {"dataset": "MPI", "isValidation": float(is_validation), "img_paths": file.name}
            records.append(head | note | {"annolist_index": len(records) + 1.0})
    write_whole(folder / "mpii_annotations.json", json.dumps(records).encode())


def _note_mpii(scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
    height, width = scene.image.shape[:2]
    known = [_mpii_person(one, rng) for one in scene.people if (one.state != ABSENT).sum() >= 4]
    first, second = known[0], known[1] if len(known) > 1 else [_NO_ARRAY] * 3
    note = {"img_width": float(width), "img_height": float(height)}
    note |= zip(("objpos", "joint_self", "scale_provided"), first, strict=True)
    centre, joints, scale = second
    note |= {"joint_others": joints, "scale_provided_other": scale, "objpos_other": centre}
    return note | {"people_index": 1.0, "numOtherPeople": len(known) - 1.0}


def _mpii_person(person: Person, rng: np.random.Generator) -> tuple[list, list, float]:
    """Centre, points and scale; points are 1-based, a missing joint is (0, 0, 0)."""
    centre, scale = annotation.mpii_box(rng, person)
    points = _points(person.joints + 1, person.state, person.state == VISIBLE)
    return (centre + 1).round(3).tolist(), points.round(3).tolist(), round(scale, 6)


def _points(joints: np.ndarray, state: np.ndarray, third: np.ndarray) -> np.ndarray:
    """(..., 3) x, y and a third value; absent joints all zero."""
    points = np.concatenate([joints, third[..., None].astype(float)], -1)
    return np.where((state == ABSENT)[..., None], 0.0, points)


def write_lsp(folder: str | Path, train: int, test: int, drawing: Drawing) -> None:
    """<folder>/joints.mat (`joints` and `oc_joints`, 3 x 14 x N, third row 1 = occluded) and
    images/im0001.jpg... The format: paperlib.data.lsp.

    Raises PaperlibError unless `train` equals `test`: in this format the first half of the images
    is for training.
    """
    if train != test:
        raise PaperlibError(
            f"{folder}: LSP has as many test as training images, but {train} and {test} were "
            "asked for; ask for equal numbers"
        )
    folder = Path(folder)
    files = [folder / "images" / f"im{i + 1:04d}.jpg" for i in range(train + test)]
    points = np.array(drawing.draw(_note_lsp, scenes.lsp_scene, "lsp", files))
    points = points.reshape(-1, len(LSP), 3)  # (N, 14, 3), also of no files
    seen = points.copy()
    # legs by the hips, arms by the shoulders: the right one is to the image's left
    for first, last, right, left in ((0, 6, 2, 3), (6, 12, 8, 9)):
        crossed = seen[:, right, 0] > seen[:, left, 0]
        seen[crossed, first:last] = seen[crossed, first:last][:, ::-1]
    file = BytesIO()
    savemat(file, {"joints": points.transpose(2, 1, 0), "oc_joints": seen.transpose(2, 1, 0)})
    write_whole(folder / "joints.mat", file.getvalue())


def _note_lsp(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    person, order = scene.people[0], joint_map(MPII, LSP)
    # (14, 3)
    return np.concatenate([person.joints, (person.state == OCCLUDED)[:, None]], -1)[order]


def write_flic(folder: str | Path, train: int, test: int, drawing: Drawing) -> None:
    """<folder>/annot/{train,valid}[_personcentric].h5, annot/{train,valid}_images.txt and images/.
    The format: paperlib.data.flic, FACTS C.8.

    The official box of 440 px has `side` px here; scale and centre are in proportion.
    """
    folder, start = Path(folder), 0
    for split, count in (("train", train), ("valid", test)):
        files = [folder / "images" / f"drawn-{split}-{i + 1:08d}.jpg" for i in range(count)]
        notes = drawing.draw(_note_flic, scenes.flic_scene, f"flic {split}", files)
        part = np.array([points for points, _, _ in notes]).reshape(-1, len(FLIC), 2)
        names = [file.name for file in files]
        torso = part[:, 6:8].mean(1) - part[:, (0, 3)].mean(1)
        table = {
            "center": np.array([(x, y) for _, x, y in notes], np.float32).reshape(-1, 2),
            "imgname": np.array(names, "S"),
            "index": np.arange(start, start + count),
            "normalize": np.linalg.norm(part[:, 3] - part[:, 6], axis=-1),
            "person": np.zeros(count, int),
            "scale": np.full(count, FLIC_SCALE * drawing.side / FLIC_BOX),
            "torsoangle": -np.degrees(np.arctan2(torso[:, 0], torso[:, 1])),
            "visible": np.ones((count, len(FLIC))),
        }
        # the left shoulder to the image's left: seen from behind
        crossed = part[:, 0, 0] < part[:, 3, 0]
        seen = np.where(crossed[:, None, None], part[:, FLIC.mirror], part)
        for name, points in ((split, seen), (f"{split}_personcentric", part)):
            write_whole(folder / "annot" / f"{name}.h5", _h5(table | {"part": points}))
        listed = "".join(f"{name}\n" for name in names)
        write_whole(folder / "annot" / f"{split}_images.txt", listed.encode())
        start += count


def _note_flic(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    person, (height, width) = scene.people[0], scene.image.shape[:2]
    # (11, 2)
    points = np.concatenate([person.joints[[13, 14, 15, 12, 11, 10, 3, 2]], person.face[[1, 2, 0]]])
    return points, points[[0, 3, 6, 7], 0].mean() + rng.normal(0, 0.01) * width, height / 2


def _h5(arrays: Mapping[str, np.ndarray]) -> bytes:
    file = BytesIO()
    with h5py.File(file, "w") as h5:
        for key in sorted(arrays):
            h5.create_dataset(key, data=arrays[key], track_times=False)
    return file.getvalue()


def write_coco(folder: str | Path, train: int, val: int, drawing: Drawing) -> None:
    """<folder>/annotations/person_keypoints_{train,val}2017.json, train2017/ and val2017/,
    everybody annotated. The format: paperlib.data.coco."""
    folder = Path(folder)
    category = {"supercategory": "person", "id": 1, "name": "person"}
    category |= {"keypoints": list(COCO.joints)}
    category |= {"skeleton": [[a + 1, b + 1] for a, b in COCO.limbs]}
    for split, count in (("train", train), ("val", val)):
        files = [folder / f"{split}2017" / f"{i + 1:012d}.jpg" for i in range(count)]
        notes = drawing.draw(_note_coco, scenes.coco_scene, f"coco {split}", files)
        images = [
            {"license": 1, "file_name": file.name, **note["size"], "id": i}
            for i, (file, note) in enumerate(zip(files, notes, strict=True), 1)
        ]
        people = [
            person | {"image_id": i, "category_id": 1}
            for i, note in enumerate(notes, 1)
            for person in note["people"]
        ]
        content = {
            "info": {"description": "Drawn people in the format of COCO", "year": 2017},
            "licenses": [{"id": 1, "name": "MIT", "url": ""}],
        }
        content |= {
            "categories": [category],
            "images": images,
            "annotations": [person | {"id": i} for i, person in enumerate(people, 1)],
        }
        file = folder / "annotations" / f"person_keypoints_{split}2017.json"
        write_whole(file, json.dumps(content).encode())


def _note_coco(scene: Scene, rng: np.random.Generator) -> dict[str, Any]:
    height, width = scene.image.shape[:2]
    return {
        "size": {"height": height, "width": width},
        "people": [note for person in scene.people if (note := _coco_person(person, scene.labels))],
    }


def _coco_person(person: Person, labels: np.ndarray) -> dict[str, Any] | None:
    """None for somebody of whom nothing is seen."""
    mask = annotation.silhouette(labels, person.label)  # (H, W) uint8
    if mask.sum() < 20:
        return None
    order = [MPII.index(name) for name in COCO.joints[5:]]
    joints = np.concatenate([person.face, person.joints[order]])
    state = np.concatenate([person.face_state, person.state[order]])
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return {
        "segmentation": [contour.reshape(-1).tolist() for contour in contours if len(contour) > 2],
        "num_keypoints": int((state != ABSENT).sum()),
        "area": float(mask.sum()),
        "iscrowd": 0,
        "keypoints": np.rint(_points(joints, state, state)).astype(int).reshape(-1).tolist(),
        "bbox": [float(v) for v in cv2.boundingRect(mask)],
    }


def _draw_one(
    note: Callable, kind: Callable, name: str, drawing: Drawing, numbered: tuple[int, Path]
) -> Any:
    index, file = numbered
    scene, rng = scenes.draw(kind, drawing.seed, name, index, drawing.side, drawing.difficulty)
    image = cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    write_whole(file, jpeg.tobytes())
    return note(scene, rng)
