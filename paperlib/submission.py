"""Points for others: COCO results, and pred_keypoints_mpii.mat, which the MPII test server takes.

The latter is the official list of test images with predicted points put into its people. It holds
`pred`: RELEASE.annolist of the images that are not for training, in which each person to be scored
gets annorect.annopoints.point(1..16) with x, y in pixels from 1 and id 0..15, as the evaluation
page of the data set asks. The test labels, public since 2021 (FACTS D.1), are not read here: the
scores come from that evaluation.

`write_test_points` makes the input of `export_mpii`: the predictions of a network for the test
people.
"""

import io
from pathlib import Path

import h5py
import numpy as np
from scipy.io import loadmat, savemat

from paperlib import PaperlibError
from paperlib.data.canvases import GREY, load_canvases
from paperlib.data.crops import Crops
from paperlib.data.files import find_labels
from paperlib.data.mpii import TEST_FILES, load_mpii
from paperlib.files.contents import check_file
from paperlib.files.json_points import write_coco
from paperlib.files.predictions import axis_orders, read_arrays, read_points, read_predictions
from paperlib.people import People
from paperlib.predict import predict
from paperlib.skeleton import MPII, SKELETONS
from paperlib.weights import Weights
from paperlib.writing import check_writable, write_whole

NAME = "pred_keypoints_mpii.mat"


def write_test_points(weights: Weights, home: Path, canvases: Path, out: Path) -> int:
    """Predict MPII's test people who are sufficiently separated, write `out`, return their number.

    `home` is the folder of MPII, with the official .mat and images/; canvases are cached in
    `canvases`. `out`, an .h5 file, holds `preds` (N, 16, 2), image px from 1, in the official
    order, which `export_mpii` and `paperlib score` take. Raises PaperlibError for another kind of
    file, for weights with other joints than MPII's or trained with another colour outside the
    image, and where a person's image is absent or broken.
    """
    if out.suffix != ".h5":
        raise PaperlibError(f"{out}: the points of the test people go into an .h5 file; name one")
    check_writable(out.parent, "choose another place for --out")
    codec = weights.codec
    if codec.skeleton != MPII:
        raise PaperlibError(
            f"{weights.name}: its joints are {codec.skeleton.name}'s; take weights with MPII's"
        )
    if weights.record.get("outside", GREY[0]) != GREY[0]:
        raise PaperlibError(
            f"{weights.name}: its crops are of another colour outside the image than the canvases "
            "of the test people; take weights that were trained here"
        )
    people = load_mpii(home, "test", separated=True)
    _refuse_incomplete(people, home)
    cut = load_canvases(people, round(1.5 * codec.side), canvases)
    crops = Crops(people, cut, codec, next(weights.model.parameters()).device)
    points = predict(weights.model, crops).points[-1] + 1  # (N, 16, 2)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("preds", data=points, track_times=False)
    write_whole(out, content.getvalue())
    return len(points)


def _refuse_incomplete(people: People, home: Path) -> None:
    if people.left_out:
        why = ", ".join(f"{reason}: {count}" for reason, count in people.left_out.items())
        raise PaperlibError(
            f"{home}: test people cannot be used ({why}); the MPII server takes all of them: "
            f"put the images of the test set into {home / 'images'}"
        )
    if not len(people):
        raise PaperlibError(f"{home}: its .mat lists no test people who are sufficiently separated")


def export_points(
    dataset: str, predictions: Path, truth: Path | None, data: Path, out: Path
) -> tuple[Path, int]:
    """Points of any file as COCO results, where `out` ends in .json, else as export_mpii into the
    folder `out`; the file written and the number of people. Raises PaperlibError as they do."""
    if out.suffix.lower() == ".json":
        if dataset not in SKELETONS:
            raise PaperlibError(f"no joints of {dataset!r}; there is {', '.join(SKELETONS)}")
        found = read_predictions(predictions, None, SKELETONS[dataset])
        return out, write_coco(out, found)
    if dataset != "mpii":
        raise PaperlibError(
            f"--export {out}: a folder gets what the MPII server takes, and there is none for "
            f"{dataset!r}; name a file.json for COCO results"
        )
    return export_mpii(predictions, truth or find_labels(data / "mpii", TEST_FILES, "test"), out)


def export_mpii(predictions: Path, annotations: Path, folder: Path) -> tuple[Path, int]:
    """Write `folder`/pred_keypoints_mpii.mat of the points in `predictions`, and return its path
    and the number of people.

    `annotations` is mpii_human_pose_v1_u12_1.mat. The file holds either the people who are
    sufficiently separated (RELEASE.single_person, whom the single-person task scores) or everyone
    with a position, image by image in the official order. Raises PaperlibError for any other number
    of people, for points that are not finite, and for a file that cannot be read or written.
    """
    check_file(predictions)
    images, single = _test_images(annotations)
    everyone = [(i, p) for i, image in enumerate(images) for p in _positioned(image)]
    separated = [(i, p) for i, p in everyone if p in single[i]]
    shapes = [array.shape for array in read_arrays(predictions, MPII).values()]
    orders = [(shape, order) for shape in shapes for order in axis_orders(shape, None, (16,))]
    counts = sorted({shape[people] for shape, (people, *_) in orders})
    rows = next((rows for rows in (separated, everyone) if len(rows) in counts), None)
    if not rows:
        raise PaperlibError(
            f"{predictions}: holds {' or '.join(map(str, counts)) or 'no'} people x 16 "
            f"joints; {annotations.name} has {len(separated)} test people "
            f"who are sufficiently separated and {len(everyone)} in all: give the points of "
            "one or the other, in its order"
        )
    points = read_points(predictions, len(rows), MPII)
    if np.isnan(points).any():
        raise PaperlibError(
            f"{predictions}: {np.isnan(points).any(-1).sum()} points are NaN; the server "
            "needs two numbers for every joint"
        )
    pred = images.copy()
    for i in {i for i, _ in rows}:
        found = {p: points[row] for row, (image, p) in enumerate(rows) if image == i}
        pred[i]["annorect"] = _with_points(images[i]["annorect"], found)
    content = io.BytesIO()
    savemat(content, {"pred": pred[None]}, do_compression=True)
    write_whole(folder / NAME, content.getvalue())
    return folder / NAME, len(rows)


def _test_images(path: Path) -> tuple[np.ndarray, list[set[int]]]:
    """(N,) structs of RELEASE.annolist that are not for training, and of each the people from 0 who
    are sufficiently separated."""
    if not path.is_file():
        raise PaperlibError(
            f"{path}: no such file; the export needs the official annotations (paperlib data "
            "fetch mpii)"
        )
    try:
        release = loadmat(path)["RELEASE"][0, 0]
        test = np.flatnonzero(np.ravel(release["img_train"]) == 0)
        single = [
            {int(p) - 1 for p in np.ravel(cell)}
            for cell in np.ravel(release["single_person"])[test]
        ]
        images = np.ravel(release["annolist"])[test]
        _ = images["annorect"], images["image"]
    except Exception as why:  # a damaged file makes scipy fail in its own ways
        raise PaperlibError(
            f"{path}: is not mpii_human_pose_v1_u12_1.mat ({type(why).__name__}: "
            f"{' '.join(str(why).split())[:80]})"
        ) from why
    return images, single


def _positioned(image: np.void) -> list[int]:
    """The people of an image, from 0, who have a position."""
    people = np.ravel(image["annorect"])
    if "objpos" not in (people.dtype.names or ()):
        return []
    return [p for p, person in enumerate(people) if np.size(person["objpos"])]


def _with_points(people: np.ndarray, found: dict[int, np.ndarray]) -> np.ndarray:
    """The structs `people` with a field annopoints, filled for those in `found`, person from 0 ->
    (16, 2) px."""
    names = [name for name in people.dtype.names if name != "annopoints"]
    filled = np.empty(people.shape, [(name, object) for name in (*names, "annopoints")])
    for name in names:
        filled[name] = people[name]
    for p in range(people.size):
        filled["annopoints"].flat[p] = np.empty((0, 0))
        if p in found:
            points = np.empty((1, 16), [("x", object), ("y", object), ("id", object)])
            for joint, (x, y) in enumerate(found[p]):
                points[0, joint] = (float(x), float(y), float(joint))
            filled["annopoints"].flat[p] = {"point": points}
    return filled
