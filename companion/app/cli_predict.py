"""What `paperlib predict` does and prints."""

import json
import sys
from pathlib import Path

from paperlib import PaperlibError


def given_boxes(
    images: list[Path] | None, box: list[str] | None, boxes: Path | None
) -> dict | None:
    """The people of each image by --boxes or --box; None where every image is one person."""
    from companion.app.photos import parse_box, read_boxes

    if not images:
        raise PaperlibError("predict: name image files, or --on mpii-test")
    if box and (boxes or len(images) > 1):
        raise PaperlibError(
            f"--box {box[0]}: it is for one image without --boxes; give the boxes of several "
            "images "
            "as --boxes FILE"
        )
    if boxes:
        return read_boxes(boxes)
    return {str(images[0]): [parse_box(text) for text in box]} if box else None


def say(found: list[dict], used: str, faults: list[str], as_json: bool) -> None:
    """Print what was `found` in photographs; notes, and `faults` of those not read, go to
    stderr."""
    for photo in found:
        notes = photo["notes"] + [person["note"] for person in photo["people"] if person["note"]]
        for note in notes:
            print(f"paperlib: {photo['image']}: {note}", file=sys.stderr)
    for fault in faults:
        print(f"paperlib: {fault}", file=sys.stderr)
    print(json.dumps(found) if as_json else "\n".join([used, *map(_in_words, found)]))


def _in_words(photo: dict) -> str:
    """What was seen in one photograph, a line a person, after what was assumed."""
    lines = []
    if photo["assumed"]:
        box = ",".join(f"{value:g}" for value in photo["people"][0]["box"])
        lines = [
            f"{photo['image']}: no box given; assumed: {photo['assumed']}, {box}; "
            "--box X0,Y0,X1,Y1 gives another"
        ]
    for person in photo["people"]:
        joints = person["joints"].items()
        said = (f"{name} ({x:.0f}, {y:.0f}) {peak:.2f}" for name, (x, y, peak) in joints)
        lines.append(f"{photo['image']}: {', '.join(said)}")
    return "\n".join(lines)


def predict_test_people(
    on: str, photos: bool, weights: str, out: Path | None, device: str, as_json: bool
) -> None:
    """Write points of people without labels, not beside `photos` or their options."""
    from companion.app.pretrained import best_weights, describe
    from companion.settings import Folders
    from paperlib.submission import write_test_points

    if photos:
        raise PaperlibError(
            f"--on {on}: it stands instead of images, boxes and their --scales; "
            "give one or the other"
        )
    if on != "mpii-test":
        raise PaperlibError(f"--on {on}: only mpii-test has people without labels to predict")
    if out is None:
        raise PaperlibError("--on mpii-test: say where the points go with --out FILE.h5")
    folders, used = Folders.here(), best_weights(weights, device)
    people = write_test_points(used, folders.data / "mpii", folders.runs / "canvases", out)
    found = {"file": str(out), "people": people, "weights": {"name": used.name, "kind": used.kind}}
    print(json.dumps(found) if as_json else f"{describe(used)}\n{out}: {people} people of {on}")
