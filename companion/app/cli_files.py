"""What the command line does with files: score predictions, predict photographs, export weights."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from companion.app.cli_data import AsJson, Device
from paperlib import PaperlibError

SCALES = "0.85,1,1.15"  # those of photographs


def score(
    dataset: Annotated[
        str, typer.Argument(help="mpii, lsp or flic; or labels of your own, a COCO keypoints file")
    ],
    predictions: Path,
    truth: Annotated[Path | None, typer.Option(help="another truth file")] = None,
    convention: str = "official",
    labels: Annotated[str, typer.Option(help="pc (person-centric) or oc (observer-centric)")] = "",
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
        from companion.app.cli_own import score_on

        if truth or labels or export:
            raise PaperlibError(
                f"{dataset}: --truth, --labels and --export are of MPII, LSP and FLIC; {dataset} "
                "is the truth itself"
            )
        return score_on(Path(dataset), predictions, convention, as_json)
    from companion.settings import Folders
    from paperlib.score import in_words, score_file
    from paperlib.submission import export_points

    data = Folders.here().data
    if export:
        written, people = export_points(dataset, predictions, truth, data, export)
        what = "the MPII test set" if written != export else f"{dataset}, as COCO results"
        found = {"file": str(written), "people": people}
        print(json.dumps(found) if as_json else f"{written}: {people} people of {what}")
        return
    result = score_file(dataset, predictions, data, truth, convention, labels or None)
    for note in result["notes"]:
        print(f"paperlib: {predictions}: {note}", file=sys.stderr)
    print(json.dumps(result) if as_json else in_words(predictions.name, result))


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
    on: Annotated[
        str,
        typer.Option(
            help="mpii-test: instead of images the people of MPII's test set, for score --export"
        ),
    ] = "",
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="X0,Y0,X1,Y1 px: a person of the one image given; repeat for more people"
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="the same for several images: a JSON file of each image's list of boxes"),
    ] = None,
    scales: Annotated[
        str,
        typer.Option(help="sizes of the person in the crop / that of training, to average over"),
    ] = SCALES,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Poses in your own photographs: of the people in boxes, or of the one person who is found in
    each."""
    from companion.app.cli_predict import given_boxes, predict_test_people, say
    from companion.app.photos import PartlyRead, parse_scales, predict_photos

    if on:
        photos = bool(images or box or boxes or scales != SCALES)
        return predict_test_people(on, photos, weights, out, device, as_json)
    given, faults = given_boxes(images, box, boxes), []
    try:
        found, used = predict_photos(images, weights, out, device, given, parse_scales(scales))
    except PartlyRead as partly:
        found, used, faults = partly.found, partly.used, partly.faults
    say(found, used, faults, as_json)
    if faults:
        raise typer.Exit(1)


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
    if as_json:
        print(json.dumps(written))
        return
    for kind in written.values():
        print("; ".join(f"{key} {value}" for key, value in kind.items()))
