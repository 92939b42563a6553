"""How many people a second reach a network: crop, augmentation and targets at 256 px, 16 joints,
from JPEGs (cold) and from canvases (warm).

    python benchmarks/data_path.py [--people 512] [--data noise|mpii-sports] [--device cpu|cuda]

One thread of one CPU, or a GPU and one thread. Without official files the images are noise at many
scales, 1280 x 720 px, as JPEGs; with PAPERLIB_DATA they are MPII's. Elapsed and CPU time are each
the best of several repeats: others may use the machine. Writes
benchmarks/data-path-<data>-<device>.csv, to compare with benchmarks/README.md.
"""

import argparse
import hashlib
import os
import re
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from measuring import best, one_thread, write_rows

import paperlib
from paperlib.codecs import HourglassCodec
from paperlib.data.canvases import Canvases, canvas_boxes, load_canvases
from paperlib.data.crops import Crops, TrainingOrder
from paperlib.data.images import read_image
from paperlib.data.mpii import load_mpii
from paperlib.geometry import crop_affine
from paperlib.people import VISIBLE, People
from paperlib.skeleton import MPII

CODEC, CANVAS, BATCH = HourglassCodec(), 384, 32
ALL_OF_MPII = 22_246  # people to train on
SOURCES = ("codecs.py", "geometry.py", "data/canvases.py", "data/crops.py", "data/images.py")


def noise_people(n: int, folder: Path) -> People:
    """n people of MPII's usual size in JPEGs of noise, which cost what a photograph of 0.9 Mpix
    costs to decode."""
    rng = np.random.default_rng(0)
    for i in range(n):
        octaves = [
            cv2.resize(rng.normal(0, 20, (max(2, 720 >> k), max(2, 1280 >> k), 3)), (1280, 720))
            for k in range(3, 9)
        ]
        cv2.imwrite(
            str(folder / f"{i}.jpg"),
            np.clip(128 + sum(octaves), 0, 255).astype(np.uint8),
            [cv2.IMWRITE_JPEG_QUALITY, 85],
        )
    centre = rng.uniform([400, 260], [880, 460], (n, 2))
    return People(
        MPII,
        image=np.array([str(folder / f"{i}.jpg") for i in range(n)]),
        joints=centre[:, None] + rng.uniform(-150, 150, (n, 16, 2)),
        state=np.full((n, 16), VISIBLE, np.uint8),
        centre=centre,
        scale=rng.uniform(1.5, 2.5, n),
        framed=np.zeros(n, bool),
        head_size=np.full(n, 40.0),
        others=tuple(np.empty((0, 16, 2)) for _ in range(n)),
    )


def mpii_people(n: int) -> People:
    """n people of MPII, in the order of the annotation file, where the people of one image follow
    one another."""
    return load_mpii(Path(os.environ["PAPERLIB_DATA"]) / "mpii-sports", "train").select(slice(n))


def one_an_image(people: People) -> People:
    return people.select(np.sort(np.unique(people.image, return_index=True)[1]))


def epoch(crops: Crops) -> None:
    """An epoch's crops and targets, augmented as H augments, in shuffled batches of 32."""
    order = TrainingOrder(len(crops), BATCH, "hourglass", seed=0)
    for step in range(len(crops) // order.size):
        batch = crops.batch(*order(step))
        CODEC.encode(batch.joints, batch.state)
    if crops.device.type == "cuda":
        torch.cuda.synchronize()


def cold(people: People, device: str) -> None:
    """From JPEGs to the last target of the first epoch: canvases are cut into an empty folder, then
    an epoch is made of them."""
    with tempfile.TemporaryDirectory() as folder:
        epoch(
            Crops(
                people, load_canvases(people, CANVAS, Path(folder), progress=False), CODEC, device
            )
        )


def decode(people: People) -> None:
    for path in people.image:
        read_image(path)


def memory_of_all_of_mpii(people: People, folder: Path) -> float:
    """MB that this process holds with no file behind them after crops of every tenth of 22,246
    people, shuffled, whose canvases are 9.8 GB."""
    n = ALL_OF_MPII
    np.lib.format.open_memmap(
        folder / "sparse.npy", mode="w+", dtype=np.uint8, shape=(n, CANVAS, CANVAS, 3)
    )  # zeros, which fill no disk
    many, pixels = (
        people.select(np.arange(n) % len(people)),
        np.load(folder / "sparse.npy", mmap_mode="r"),
    )
    crops = Crops(
        many,
        Canvases(pixels, crop_affine(canvas_boxes(many, CANVAS), CANVAS), np.ones(n, bool), (), ""),
        CODEC,
    )
    order = TrainingOrder(n, BATCH, "hourglass", seed=0)
    for step in range(n // BATCH // 10):
        crops.batch(*order(step))
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1e3


def sources() -> str:
    """The sources of the data path, by their hash."""
    package = Path(paperlib.__file__).parent
    return hashlib.sha256(b"".join((package / name).read_bytes() for name in SOURCES)).hexdigest()[
        :12
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=512)
    parser.add_argument(
        "--data",
        choices=("noise", "mpii-sports"),
        default="mpii-sports" if os.environ.get("PAPERLIB_DATA") else "noise",
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    one_thread()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        people = (
            noise_people(options.people, folder)
            if options.data == "noise"
            else mpii_people(options.people)
        )
        alone = one_an_image(people)
        crops = Crops(
            people, load_canvases(people, CANVAS, folder, progress=False), CODEC, options.device
        )
        measures = [
            ("warm", people, lambda: epoch(crops), 9),
            ("cold", people, lambda: cold(people, options.device), 3),
            ("cold, one person an image", alone, lambda: cold(alone, options.device), 3),
            ("decoding alone, one person an image", alone, lambda: decode(alone), 3),
        ]
        for what, whom, run, repeats in measures:
            elapsed, busy = (1e3 * seconds / len(whom) for seconds in best(run, repeats))
            rows.append(
                {
                    "what": what,
                    "people": len(whom),
                    "ms_per_person": f"{elapsed:.3f}",
                    "cpu_ms_per_person": f"{busy:.3f}",
                }
            )
            print(
                f"{what:38s} {1e3 / elapsed:8.0f} people/s; {elapsed:7.3f} ms a person, of them "
                f"{busy:7.3f} of CPU",
                flush=True,
            )
        if options.device == "cpu" and Path("/proc/self/status").exists():
            rows.append(
                {
                    "what": "22246 canvases mapped",
                    "people": ALL_OF_MPII,
                    "memory_mb": f"{memory_of_all_of_mpii(people, folder):.0f}",
                }
            )
            print(
                f"{rows[-1]['what']:38s} {rows[-1]['memory_mb']:>8} MB of memory without a file "
                "behind it"
            )
    about = {"data": options.data, "sources": sources()}
    print(
        write_rows(
            [row | about for row in rows], f"data-path-{options.data}", options.device, options.out
        )
    )


if __name__ == "__main__":
    main()
