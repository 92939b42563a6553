"""Drawn people, ready for the loaders: `make_synthetic` keeps a folder of data sets up to date,
`draw_pairs` draws two people close together."""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from tqdm.auto import tqdm

from companion.drawn import scenes
from companion.drawn.annotation import mpii_box
from companion.drawn.scenes import DEFAULT, Difficulty
from companion.drawn.writers import Drawing, write_coco, write_flic, write_lsp, write_mpii
from paperlib import PaperlibError
from paperlib.writing import make_folder, write_whole

_WRITERS = {"mpii": write_mpii, "lsp": write_lsp, "flic": write_flic, "coco": write_coco}
DRAWING = 1  # raise it when the same seed would draw other people or pictures


@dataclass(frozen=True)
class Pair:
    """Two people close together (H fig. 10) and the truth of both; image pixels, absent joints
    NaN."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    joints: np.ndarray  # (2, 16, 2) MPII order
    state: np.ndarray  # (2, 16)
    centre: np.ndarray  # (2, 2)
    scale: np.ndarray  # (2,) as MPII's


def draw_pairs(n: int, side: int, seed: int) -> list[Pair]:
    """`n` pictures of two people of like size, each one's centre just beside the other's; crops of
    250 x scale have about `side` px."""
    return [_pair(*scenes.draw(scenes.pair_scene, seed, "pairs", i, side)) for i in range(n)]


def _pair(scene: scenes.Scene, rng: np.random.Generator) -> Pair:
    joints, state = (np.stack([getattr(p, of) for p in scene.people]) for of in ("joints", "state"))
    centre, scale = zip(*(mpii_box(rng, person) for person in scene.people), strict=True)
    return Pair(scene.image, joints, state, np.array(centre), np.array(scale))


def make_synthetic(
    root: str | Path,
    size_counts: Mapping[str, tuple[int, int]],
    side: int,
    seed: int,
    progress: Callable[[int, int], Any] | None = None,
    jobs: int | None = None,
    difficulty: Difficulty = DEFAULT,
) -> Path:
    """Draw the sets of `size_counts`, {"mpii": (train, valid), "lsp": (n, n), "flic": ..., "coco":
    ...}, into <root>/<set>; return the root.

    A set already there with the same counts, side, seed, difficulty and drawing code is kept; any
    other that we drew is drawn anew. <root>/synthetic.json says which are finished: a set's entry
    is null from before its first picture until after its last file. `progress` is called with
    (done, of) images; without it a bar is shown. `jobs` defaults to the processor's cores.
    `difficulty`: how people turn, how much stands before them, how many others are near; as it
    stands, "mpii" has MPII's statistics. Raises PaperlibError where <root>/<set> holds something
    that we did not draw, for an unknown set, and on a full or read-only disk.
    """
    if unknown := sorted(set(size_counts) - set(_WRITERS)):
        raise PaperlibError(f"no drawn data set '{unknown[0]}'; there are {', '.join(_WRITERS)}")
    root, jobs = Path(root), jobs or os.cpu_count() or 1
    wanted = {
        name: {
            "counts": list(counts),
            "side": side,
            "seed": seed,
            "difficulty": asdict(difficulty),
            "version": DRAWING,
        }
        for name, counts in size_counts.items()
    }
    if not _missing(root, _read_stamp(root), wanted):
        return root
    make_folder(root)
    with _lock(root):
        missing = _missing(root, stamp := _read_stamp(root), wanted)
        for name in missing:
            if name not in stamp and (root / name).exists():
                raise PaperlibError(
                    f"{root / name}: holds data that were not drawn here; choose another folder "
                    "for the drawn people"
                )
        total, done = sum(sum(size_counts[name]) for name in missing), itertools.count(1)
        with tqdm(
            total=total, desc="drawing people", unit="image", disable=progress is not None
        ) as bar:
            tick = bar.update if progress is None else lambda _: progress(next(done), total)
            for name in missing:
                _write_stamp(root, stamp := stamp | {name: None})
                shutil.rmtree(root / name, ignore_errors=True)
                drawing = Drawing(side, seed, jobs, tick, difficulty)
                _WRITERS[name](root / name, *size_counts[name], drawing)
                _write_stamp(root, stamp := stamp | {name: wanted[name]})
    return root


def _missing(root: Path, stamp: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [
        name
        for name in _WRITERS
        if name in wanted and not (stamp.get(name) == wanted[name] and (root / name).is_dir())
    ]


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    """One process draws, another that wants the same folder waits."""
    lock = FileLock(root / ".synthetic.lock")
    try:
        lock.acquire()
    except OSError as error:
        raise PaperlibError(
            f"{root}: cannot be written ({error.strerror or error}); choose another folder "
            "for the drawn people"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _write_stamp(root: Path, stamp: dict[str, Any]) -> None:
    write_whole(root / "synthetic.json", json.dumps(stamp, indent=1).encode())


def _read_stamp(root: Path) -> dict[str, Any]:
    file = root / "synthetic.json"
    try:
        return dict(json.loads(file.read_bytes())) if file.exists() else {}
    except (OSError, ValueError, TypeError) as error:
        raise PaperlibError(
            f"{file}: cannot be read ({error}); delete the folder {root} to draw the people anew"
        ) from error
