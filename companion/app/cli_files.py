"""What the command line does with files: score predictions, predict photographs, export weights."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from companion.app.cli_options import AsJson, Device, tell
from paperlib import PaperlibError

SCALES = "0.85,1,1.15"  # those of photographs


@dataclass(frozen=True)
class Against:
    """What predictions are scored against, and how."""

    truth: Annotated[Path | None, typer.Option(help="another truth file")] = None
    convention: str = "official"
    labels: Annotated[str, typer.Option(help="pc (person-centric) or oc (observer-centric)")] = ""


def score(
    dataset: Annotated[
        str, typer.Argument(help="mpii, lsp or flic; or labels of your own, a COCO keypoints file")
    ],
    predictions: Path,
    against: Against,
    export: Annotated[
        Path | None,
        typer.Option(
            help="no score: FILE.json gets the points as COCO results; a folder gets the file of "
            "test people that the MPII server takes"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score any prediction file; no images needed."""
    if dataset.lower().endswith(".json"):
        from paperlib.own_data import in_words, score_own

        if against.truth or against.labels or export:
            raise PaperlibError(
                f"{dataset}: --truth, --labels and --export are of MPII, LSP and FLIC; {dataset} "
                "is the truth itself"
            )
        result = score_own(Path(dataset), predictions, against.convention)
        return tell(result, as_json, in_words(result))
    from companion.settings import Folders
    from paperlib.score import in_words, score_file
    from paperlib.submission import export_points

    data, truth = Folders.here().data, against.truth
    if export:
        written, people = export_points(dataset, predictions, truth, data, export)
        what = "the MPII test set" if written != export else f"{dataset}, as COCO results"
        found = {"file": str(written), "people": people}
        return tell(found, as_json, f"{written}: {people} people of {what}")
    how = truth, against.convention, against.labels or None
    result = score_file(dataset, predictions, data, *how)
    for note in result["notes"]:
        print(f"paperlib: {predictions}: {note}", file=sys.stderr)
    tell(result, as_json, in_words(predictions.name, result))


@dataclass(frozen=True)
class Whom:
    """Whose poses are predicted: of the people in boxes, or of MPII's test set."""

    on: Annotated[
        str,
        typer.Option(
            help="mpii-test: instead of images the people of MPII's test set, for score --export"
        ),
    ] = ""
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="X0,Y0,X1,Y1 px: a person of the one image given; repeat for more people"
        ),
    ] = None
    boxes: Annotated[
        Path | None,
        typer.Option(help="the same for several images: a JSON file of each image's list of boxes"),
    ] = None
    scales: Annotated[
        str,
        typer.Option(help="sizes of the person in the crop / that of training, to average over"),
    ] = SCALES

    def boxes_of(self, images: list[Path] | None) -> dict | None:
        """The people of each image; None where every image is one person."""
        from companion.app.photos import parse_box, read_boxes

        if not images:
            raise PaperlibError("predict: name image files, or --on mpii-test")
        if self.box and (self.boxes or len(images) > 1):
            raise PaperlibError(
                f"--box {self.box[0]}: it is for one image without --boxes; give the boxes of "
                "several images as --boxes FILE"
            )
        if self.boxes:
            return read_boxes(self.boxes)
        return {str(images[0]): [parse_box(text) for text in self.box]} if self.box else None


def predict(
    images: Annotated[list[Path] | None, typer.Argument()] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="a run's name or folder, a file of weights, or another's checkpoint; else the "
            "best at hand"
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="a folder for pictures and JSON; with --on an .h5 file")
    ] = None,
    whom: Whom = Whom(),  # noqa: B008
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Poses in your own photographs: of the people in boxes, or of the one person who is found in
    each."""
    from companion.app.photos import PartlyRead, parse_scales, predict_photos

    if whom.on:
        if images or whom.box or whom.boxes or whom.scales != SCALES:
            raise PaperlibError(
                f"--on {whom.on}: it stands instead of images, boxes and their --scales; "
                "give one or the other"
            )
        return _predict_test_people(whom.on, weights, out, device, as_json)
    boxes, faults = whom.boxes_of(images), []
    try:
        scales = parse_scales(whom.scales)
        found, used = predict_photos(images, weights, out, device, boxes, scales)
    except PartlyRead as partly:
        found, used, faults = partly.found, partly.used, partly.faults
    for photo in found:
        notes = photo["notes"] + [person["note"] for person in photo["people"] if person["note"]]
        for note in notes:
            print(f"paperlib: {photo['image']}: {note}", file=sys.stderr)
    for fault in faults:
        print(f"paperlib: {fault}", file=sys.stderr)
    tell(found, as_json, "\n".join([used, *map(_in_words, found)]))
    if faults:
        raise typer.Exit(1)


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


def _predict_test_people(
    on: str, weights: str, out: Path | None, device: str, as_json: bool
) -> None:
    """Write points of people without labels."""
    from companion.app.pretrained import best_weights, describe
    from companion.settings import Folders
    from paperlib.submission import write_test_points

    if on != "mpii-test":
        raise PaperlibError(f"--on {on}: only mpii-test has people without labels to predict")
    if out is None:
        raise PaperlibError("--on mpii-test: say where the points go with --out FILE.h5")
    folders, used = Folders.here(), best_weights(weights, device)
    people = write_test_points(used, folders.data / "mpii", folders.runs / "canvases", out)
    found = {"file": str(out), "people": people, "weights": {"name": used.name, "kind": used.kind}}
    tell(found, as_json, f"{describe(used)}\n{out}: {people} people of {on}")


def export(
    weights: Annotated[str, typer.Argument(help="a run's name or a file, as --weights of predict")],
    onnx: Annotated[
        Path | None, typer.Option(help="write the network as ONNX to this file")
    ] = None,
    safetensors: Annotated[
        Path | None, typer.Option(help="write it in 16 bits to this file, and its record beside it")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A network for other programs: ONNX, or .safetensors with a record."""
    from companion.app.pretrained import best_weights
    from paperlib.weights.export import export_onnx, export_safetensors

    if not (onnx or safetensors):
        raise PaperlibError("export: say what to write, with --onnx FILE or --safetensors FILE")
    chosen, written = best_weights(weights, "cpu"), {}
    if onnx:
        written["onnx"] = {"file": str(onnx)} | export_onnx(chosen, onnx)
    if safetensors:
        record = export_safetensors(chosen, safetensors)
        written["safetensors"] = {"file": str(safetensors), "record": str(record)}
    lines = [
        "; ".join(f"{key} {value}" for key, value in kind.items()) for kind in written.values()
    ]
    tell(written, as_json, "\n".join(lines))
