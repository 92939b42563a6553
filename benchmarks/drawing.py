"""How many pictures of drawn people one thread of one CPU makes a second, scene and annotation
together, without writing files.

    python benchmarks/drawing.py [--images 200] [--repeats 5]

The sizes take turns, and the best of several repeats counts: others may use the machine. `wall` is
by the clock; `cpu` by the processor's time that the pictures took, which others disturb less.
Writes benchmarks/drawing-<device>.csv.
"""

import argparse
import time
from pathlib import Path

from measuring import one_thread, write_rows

from companion.drawn import scenes
from companion.drawn.synthetic import DRAWING

CASES = [
    ("mpii", 96),
    ("mpii", 128),
    ("mpii", 256),
    ("lsp", 128),
    ("flic", 128),
    ("coco", 128),
    ("pair", 128),
]


def rates(kind: str, side: int, images: int) -> tuple[float, float]:
    """Pictures a second by the clock and by the processor's time."""
    draw, wall, cpu = getattr(scenes, f"{kind}_scene"), time.perf_counter(), time.process_time()
    for i in range(images):
        scenes.draw(draw, 0, kind, i, side)
    return images / (time.perf_counter() - wall), images / (time.process_time() - cpu)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--images", type=int, default=200)
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    one_thread()
    rates("mpii", 96, 20)
    found = {case: [] for case in CASES}
    for _ in range(chosen.repeats):
        for case in CASES:
            found[case].append(rates(*case, chosen.images))
    about = {"images": chosen.images, "repeats": chosen.repeats, "drawing": DRAWING}
    rows = []
    for (kind, side), pairs in found.items():
        wall, cpu = (round(max(column), 1) for column in zip(*pairs, strict=True))
        rows.append(
            {"pictures": kind, "side_px": side, "per_s_wall": wall, "per_s_cpu": cpu} | about
        )
        print(f"{kind} at {side} px: {wall} pictures/s by the clock, {cpu} by the processor's time")
    print(write_rows(rows, "drawing", "cpu", Path(__file__).parent))


if __name__ == "__main__":
    main()
