"""How much memory a training on all of MPII holds on the side of its data: 22,246 canvases are
built and batches are made of them.

    python benchmarks/memory.py [--people 22246] [--side 256] [--batches 200]

The photographs at hand (PAPERLIB_DATA), or pictures of noise, are repeated until there are so many
people. The canvases go to a temporary folder (TMPDIR; 4.4 GB for 22,246 of 256 px). Memory is the
peak of what the process holds with no file behind it, which is what can run out, seen every 20 ms
from without. Writes benchmarks/memory-<device>.csv.
"""

import argparse
import os
import re
import tempfile
import threading
from pathlib import Path

import numpy as np
from data_path import ALL_OF_MPII, BATCH, CODEC, mpii_people, noise_people, one_thread
from measuring import write_rows

from paperlib.data.canvases import load_canvases
from paperlib.data.crops import Crops, TrainingOrder


def anonymous() -> float:
    """MB that this process holds and that no file stands behind."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1e3


class Peak:
    """with Peak() as peak: ...; peak.mb is then the most that was held."""

    def __enter__(self) -> "Peak":
        self.mb, self._over = anonymous(), threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.mb = max(self.mb, anonymous())

    def __exit__(self, *_) -> None:
        self._over.set()
        self._watch.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=ALL_OF_MPII)
    parser.add_argument("--side", type=int, default=256, help="of a canvas, px")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    one_thread()
    with tempfile.TemporaryDirectory() as name:
        few = (
            mpii_people(options.people)
            if os.environ.get("PAPERLIB_DATA")
            else noise_people(16, Path(name))
        )
        before = anonymous()
        people = few.select(np.arange(options.people) % len(few))
        with Peak() as building:
            canvases = load_canvases(people, options.side, Path(name))
        with Peak() as training:
            crops, order = (
                Crops(people, canvases, CODEC),
                TrainingOrder(len(people), BATCH, "hourglass", seed=0),
            )
            for step in range(options.batches):
                batch = crops.batch(*order(step))
                CODEC.encode(batch.joints, batch.state)
        found = {
            "before": before,
            "building the canvases": building.mb,
            f"making {options.batches} batches of {BATCH}": training.mb,
        }
        about = {
            "people": len(people),
            "side_px": options.side,
            "canvases_gb": f"{canvases.pixels.nbytes / 1e9:.1f}",
        }
    rows = [{"what": what, "memory_mb": f"{mb:.0f}"} | about for what, mb in found.items()]
    for row in rows:
        print(f"{row['what']:28s} {row['memory_mb']:>6} MB")
    print(write_rows(rows, "memory", "cpu", options.out))


if __name__ == "__main__":
    main()
