"""Counts what lies in the folder of a data set and compares it with the published counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from paperlib import PaperlibError
from paperlib.data.datasets import DATASETS
from paperlib.data.files import labels_in
from paperlib.data.images import fault_of
from paperlib.data.sources import Source, source_of
from paperlib.people import ABSENT, People

NO_FAULT = ("crowd", "no joint labelled", "other category", "of another data set")


def check(name: str, folder: str | Path, strict: bool = False) -> dict[str, Any]:
    """{"dataset", "people", "images", "problems": [{"file", "what"}], "notes"} of <folder>/<name>.

    People are counted by the loaders, whether or not their images are there; images are those of
    labelled people, on disk and whole. Problems are missing and broken images, people left out, and
    counts other than the published ones. Notes say what is no fault: who is left out because the
    data set says so, and what the labels do not tell. Raises PaperlibError as the loaders do, with
    `strict` also at the first bad row, with its values, and at the first broken image.
    """
    source = source_of(name)
    place = Path(folder) / name
    tables = {
        split: DATASETS[name].load(place, split, need_images=False, strict=strict)
        for split in _splits(source, place)
    }
    paths = np.unique(np.concatenate([table.image for table in tables.values()])).tolist()
    missing = [path for path in paths if not Path(path).is_file()]
    broken = {path: what for path in sorted({*paths} - {*missing}) if (what := fault_of(path))}
    for path, what in broken.items():
        if strict:
            raise PaperlibError(f"{path}: {what}")
    faults = dict.fromkeys(missing, "image missing") | broken
    if paths and len(missing) == len(paths):
        what = f"none of the {len(paths)} images is there; see `paperlib data list`"
        faults = {str(Path(paths[0]).parent): what}
    left_out, notes = _left_out(tables)
    faults = [*faults.items(), *((str(place), w) for w in [*left_out, *_counts(source, tables)])]
    return {
        "dataset": name,
        "people": sum(map(len, tables.values())),
        "images": len(paths) - len(missing) - len(broken),
        "problems": [{"file": file, "what": what} for file, what in faults],
        "notes": notes,
    }


def _splits(source: Source, place: Path) -> list[str]:
    """All splits; of COCO, which is often there in part, those whose annotations are on disk."""
    if source.name != "coco":
        return [split for split, _ in source.people]
    files, splits = DATASETS["coco"].files, ("train", "val", "test")
    return [split for split in splits if labels_in(place, files, split)] or ["train"]


def _left_out(tables: dict[str, People]) -> tuple[list[str], list[str]]:
    """Problems and notes: who is left out of each split, and what its labels do not state."""
    problems, notes = [], []
    for split, table in tables.items():
        for why, count in table.left_out.items():
            if why.startswith(NO_FAULT):
                notes.append(f"{split}: {count} left out: {why}")
            else:
                problems.append(f"{split}: {count} people left out: {why}")
        if "occlusion" in table.unstated:
            notes.append(
                f"{split}: the labels do not say who is occluded; scores of visible and occluded "
                "joints, and runs that treat them apart, are not measurable"
            )
    return problems, notes


def _counts(source: Source, tables: dict[str, People]) -> Iterator[str]:
    """Where people and joints are not as many as was published."""
    for split, published in source.people:
        if len(tables[split]) != published:
            yield f"{split}: {len(tables[split])} people, published are {published}"
    if source.joints:
        state, published = source.joints
        found = sum(int((table.state == state).sum()) for table in tables.values())
        if found != published:
            word = "absent" if state == ABSENT else "occluded"
            yield f"{found} joints are {word}, published are {published}"
