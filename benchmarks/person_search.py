"""How well a person is found in a photograph without a box, and how long that takes on one thread.

    python benchmarks/person_search.py                       # reports on validation people
    python benchmarks/person_search.py --split train --people 80 --try STEP=0.25 KEPT=5

It needs PAPERLIB_DATA. Of MPII's people who are alone in their picture (mpii-sports, or all of MPII
with --images mpii), the first --people: the mean over people of each one's PCKh@0.5, official
convention, with the whole picture as the crop, with the person looked for, with the box around the
labelled joints (a 25th wider on each side), and with the labelled centre and scale. Parameters of
paperlib.person_search (--try NAME=VALUE) are chosen on training people; the report is on others.
Writes benchmarks/person-search-<device>.csv if nothing is tried.
"""

import argparse
import ast
import os
import time
from pathlib import Path

import numpy as np
from measuring import one_thread, write_rows
from tqdm import tqdm

from companion.app.pretrained import best_weights
from companion.measure.scores import measure
from paperlib import person_search
from paperlib.data.images import read_image
from paperlib.data.mpii import load_mpii
from paperlib.people import People
from paperlib.photograph import people_in, see
from paperlib.weights import Weights

WAYS = ("whole picture", "looked for", "box around the joints", "labelled centre and scale")
USELESS = 30  # percent: the PCKh of a person below which a pose is of no use


def alone(folder: Path, split: str, count: int) -> People:
    """The first `count` of the split who are the only labelled person of their picture."""
    people = load_mpii(folder, split)
    single = np.flatnonzero([len(others) == 0 for others in people.others])
    return people.select(single[:count] if count else single)


def places(weights: Weights, photo: np.ndarray, person: People) -> tuple[dict[str, People], float]:
    """Where each of WAYS looks for the one `person` of a photograph; and the seconds of looking."""
    size, skeleton, joints = photo.shape[1::-1], weights.codec.skeleton, person.joints[0]
    low, high = np.nanmin(joints, axis=0), np.nanmax(joints, axis=0)
    pad = 0.04 * (high - low).max()
    started = time.perf_counter()
    found = person_search.find_person(weights, photo)
    seconds = time.perf_counter() - started
    boxes = None, [found.box], [(*(low - pad), *(high + pad))]
    looked = [people_in(skeleton, size, some) for some in boxes]
    return dict(zip(WAYS, [*looked, person.to(skeleton)], strict=True)), seconds


def pckh_of_each(points: np.ndarray, people: People) -> np.ndarray:
    """(N,) percent of each person's own labelled joints that are found."""
    measured = measure(points, people, "mpii")
    return 100 * (measured.hits & measured.annotated).sum(axis=1) / measured.annotated.sum(axis=1)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--weights", default="")
    options.add_argument("--images", default="mpii-sports")
    options.add_argument("--split", default="valid", choices=("train", "valid"))
    options.add_argument("--people", type=int, default=0, help="0: all")
    options.add_argument("--try", dest="tried", nargs="*", default=[], metavar="NAME=VALUE")
    chosen = options.parse_args()
    for name, _, value in (word.partition("=") for word in chosen.tried):
        if not hasattr(person_search, name):
            options.error(f"--try {name}: not a parameter of paperlib.person_search")
        setattr(person_search, name, ast.literal_eval(value))
    one_thread()
    weights = best_weights(chosen.weights, "cpu")
    people = alone(Path(os.environ["PAPERLIB_DATA"]) / chosen.images, chosen.split, chosen.people)
    points, seconds = {way: [] for way in WAYS}, []
    for i in tqdm(range(len(people)), mininterval=2):
        photo = read_image(people.image[i])
        there, took = places(weights, photo, people.select(slice(i, i + 1)))
        seconds.append(took)
        for way, one in there.items():
            points[way].append(see(weights, photo, one)[0])
    rows = []
    for way, found in points.items():
        each = pckh_of_each(np.concatenate(found), people)
        first = each[:40].mean()
        row = {"weights": weights.name, "people": len(people), "split": chosen.split, "way": way}
        row |= {"pckh": f"{each.mean():.1f}", "pckh_of_first_40": f"{first:.1f}"}
        row |= {"useless": int((each < USELESS).sum())}
        row |= {"seconds_a_photo": f"{np.median(seconds):.2f}" if way == "looked for" else ""}
        rows.append(row)
        print(f"{way:28} {each.mean():5.1f}  first 40: {first:5.1f}  useless {row['useless']}")
    print(f"looking took {np.median(seconds):.2f} s a photograph, the median")
    if not chosen.tried and chosen.split == "valid" and not chosen.people:
        print(write_rows(rows, "person-search", "cpu", Path(__file__).parent))


if __name__ == "__main__":
    main()
