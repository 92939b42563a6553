"""How long it takes to score MPII's 2958 validation people, and to bring as many people's heatmaps
back to image points.

    python benchmarks/scoring.py [--repeats 50] [--device cpu|cuda]

One thread; the best of several repeats by the clock and by the processor's time. The points are
random, 6 % of them without annotation: neither cost depends on the values. Writes
benchmarks/scoring-<device>.csv.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from measuring import best, one_thread, write_rows

from paperlib.codecs import HourglassCodec
from paperlib.conventions import convention
from paperlib.metrics import normalised_errors, pck_curve, score
from paperlib.predict import decode
from paperlib.skeleton import MPII

PEOPLE = 2958
THRESHOLDS = np.arange(51) / 100


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--repeats", type=int, default=50)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = options.parse_args()
    one_thread()
    rng = np.random.default_rng(0)
    truth, reference = rng.uniform(0, 300, (PEOPLE, 16, 2)), rng.uniform(20, 50, PEOPLE)
    truth[rng.random((PEOPLE, 16)) < 0.06] = np.nan
    predicted = truth + rng.normal(0, 8, truth.shape)
    errors = normalised_errors(predicted, truth, reference)
    maps = torch.rand(PEOPLE, 16, 64, 64, device=chosen.device)
    to_image, codec, official = (
        torch.eye(3, dtype=torch.float64, device=chosen.device).expand(PEOPLE, 3, 3),
        HourglassCodec(),
        convention("mpii"),
    )
    measures = {
        "PCKh of 16 joints at 51 thresholds, from points": lambda: pck_curve(
            normalised_errors(predicted, truth, reference), THRESHOLDS
        ),
        "the same from normalised errors": lambda: pck_curve(errors, THRESHOLDS),
        "all that a table prints, from points": lambda: score(
            predicted, truth, reference, MPII, official
        ),
        "16 heatmaps of 64 x 64 to image points": lambda: decode(codec, maps, to_image),
    }
    rows = []
    for what, run in measures.items():
        run()
        elapsed, busy = (1e3 * seconds for seconds in best(run, chosen.repeats))
        rows.append(
            {"what": what, "people": PEOPLE, "ms": f"{elapsed:.3f}", "cpu_ms": f"{busy:.3f}"}
        )
        print(f"{what:50} {elapsed:9.3f} ms, of them {busy:9.3f} of CPU")
    print(write_rows(rows, "scoring", chosen.device, Path(__file__).parent))


if __name__ == "__main__":
    main()
