"""Images a second of a training step and of inference with flip averaging, and the memory of a step: a plain port's way against this library's.

    python benchmarks/networks.py [--family hourglass|recurrent|accuracy] [--rounds 3] [--device cpu|cuda]

Hourglasses of 1, 2, 4 and 8 stacks at 256 px, recurrent models of 0, 1 and 2 iterations at 248 px, all at the papers' width with 16 joints. A plain
port is fp32 and eager, in either memory format, its optimiser not fused, and sees each person and then the mirrored image. The ways take turns;
the best round of each counts, in the processor's time on one thread of a CPU, by the clock on a GPU. Crops and targets are made beforehand. Memory is
the peak of a process that makes one training step and nothing else. `accuracy` says what bf16 costs, with the weights that come with the package, on
drawn people. Writes benchmarks/networks-<family>-<device>.csv and benchmarks/networks-accuracy-<device>.csv.
"""

import argparse
import math
import re
import tempfile
from collections.abc import Callable
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from measuring import best, one_thread, write_rows
from torch import nn

from paperlib.codecs import HourglassCodec, RecurrentCodec, Targets
from paperlib.data.canvases import load_canvases
from paperlib.data.crops import Crops
from paperlib.data.loaders import LOADERS
from paperlib.data.synthetic import make_synthetic
from paperlib.metrics import normalised_errors, pck
from paperlib.models import Recurrent, StackedHourglass
from paperlib.predict import decode, folded, heatmaps, people_at_once
from paperlib.train import LOSS, Recipe, make_optimizer
from paperlib.weights import load_weights, shipped

NETWORKS = {
    "hourglass": {f"hourglass, {stacks} stack{'s' * (stacks > 1)}": (StackedHourglass, (stacks,), HourglassCodec()) for stacks in (1, 2, 4, 8)},
    "recurrent": {f"recurrent, T={t}": (Recurrent, (16, 15, t), RecurrentCodec()) for t in (0, 1, 2)},
}
FORMATS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
WAYS = ("plain port, NCHW", "plain port, NHWC", "here, fp32", "here, bf16")
OF_A_GPU = ("here, compiled bf16",)  # torch.compile, which on a CPU does not pay; train.py does without it until a GPU has been measured
MEASURED_MEMORY = ("plain port, NHWC", "here, bf16")
BATCH = {"cpu": 2, "cuda": 16}  # people in a training step
REPEATS = {"cpu": 1, "cuda": 20}  # steps between two looks at the clock


def training_step(network: str, family: str, way: str, device: str) -> Callable[[], None]:
    """One step of `way`, to be called again and again."""
    build, options, codec = NETWORKS[family][network]
    torch.manual_seed(0)
    model = build(*options).train()
    images = torch.rand(BATCH[device], 3, codec.side, codec.side, device=device) - 0.5
    maps = torch.rand(BATCH[device], codec.channels, codec.side // 4, codec.side // 4, device=device)
    layout = FORMATS[way[-4:]] if "plain" in way else torch.channels_last
    model, images = model.to(device, memory_format=layout), images.to(memory_format=layout)
    if "plain" in way:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-6, foreach=device == "cuda")
    else:
        optimizer = make_optimizer(model, Recipe(1, BATCH[device], 1e-6))
    model = torch.compile(model) if "compiled" in way else model
    targets, loss_of = Targets(maps, torch.ones_like(maps)), LOSS[type(codec)]

    def step():
        if "plain" in way:
            loss = sum(nn.functional.mse_loss(site, maps) for site in model(images))
        else:
            with torch.autocast(device, torch.bfloat16, enabled="bf16" in way):
                sites = model(images)
            loss = loss_of(sites, lambda side: targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def inference(network: str, family: str, way: str, device: str) -> tuple[Callable[[], None], int]:
    """Heatmaps of some people averaged with the mirrored image's, and how many people they are: one for a plain port on a CPU, which has its best
    rate there; here as many as `predict` takes."""
    build, options, codec = NETWORKS[family][network]
    at_once = 1 if "plain" in way else people_at_once(codec.side, True, way[-4:], torch.device(device))
    people = min(16, at_once) if device == "cuda" else 1 if "plain" in way else at_once
    layout = FORMATS[way[-4:]] if "plain" in way else torch.channels_last
    model = build(*options).to(device, memory_format=layout).eval()
    images, swap = torch.rand(people, 3, codec.side, codec.side, device=device) - 0.5, torch.as_tensor(codec.mirror, device=device)

    @torch.no_grad()
    def plain():
        straight, mirrored = (model(x.to(memory_format=layout))[-1] for x in (images, images.flip(-1)))
        return (straight + mirrored.flip(-1)[:, swap]) / 2

    ours = None if "plain" in way else torch.compile(folded(model)) if "compiled" in way else folded(model)
    return plain if ours is None else lambda: heatmaps(ours, codec, images, precision=way[-4:]), people


def rounds(ways: dict[str, Callable[[], None]], device: str, n: int) -> dict[str, float]:
    """The best seconds of each way, which take turns: on a CPU the processor's, on a GPU the clock's until all is done."""
    for run in ways.values() if device == "cuda" else ():
        run()
    seconds, repeats = dict.fromkeys(ways, math.inf), REPEATS[device]

    def several(run):
        for _ in range(repeats):
            run()
        if device == "cuda":
            torch.cuda.synchronize()

    for _ in range(n):
        for way, run in ways.items():
            elapsed, busy = best(lambda r=run: several(r), 1)
            seconds[way] = min(seconds[way], (elapsed if device == "cuda" else busy) / repeats)
    return seconds


def memory(network: str, family: str, way: str, device: str) -> float:
    """MiB at the peak of the process that calls it, after two training steps."""
    one_thread()
    step = training_step(network, family, way, device)
    step(), step()
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def measure(network: str, family: str, device: str, n: int) -> list[dict]:
    rows, ways = [], WAYS + (OF_A_GPU if device == "cuda" else ())
    steps = {way: training_step(network, family, way, device) for way in ways}
    seconds = rounds(steps, device, n)
    del steps
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:  # each in a process of its own
        peaks = {way: f"{pool.apply(memory, (network, family, way, device)):.0f}" for way in MEASURED_MEMORY}
    rows += [row("training step", BATCH[device], way, seconds) | {"peak_mib": peaks.get(way, "")} for way in ways]
    runs = {way: inference(network, family, way, device) for way in ways}
    each = rounds({way: run for way, (run, _) in runs.items()}, device, n)
    people = {way: count for way, (_, count) in runs.items()}
    seconds = {way: each[way] / people[way] for way in ways}
    rows += [row("inference with flip", people[way], way, seconds, 1) for way in ways]
    for r in rows:
        print(f"{network:20} {r['what']:20} {r['way']:17} {r['images_per_s']:>9}/s {r['speedup']:>6} x {r.get('peak_mib', ''):>6} MiB", flush=True)
    return [{"network": network} | r for r in rows]


def row(what: str, batch: int, way: str, seconds: dict[str, float], images: int = 0) -> dict:
    """`seconds` are of `images`, or of the whole batch; the speed-up is over the faster of the two plain ports."""
    plain = min(value for name, value in seconds.items() if "plain" in name)
    rate = (images or batch) / seconds[way]
    return {"what": what, "way": way, "batch": batch, "images_per_s": f"{rate:.3f}", "speedup": f"{plain / seconds[way]:.2f}"}


def accuracy(device: str, people: int = 200) -> list[dict]:
    """What bf16, and the folding of batch norms, cost against fp32 as trained: differences of heatmaps in parts of the target's peak, of points in
    px of the crop, and PCK@0.2."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = make_synthetic(folder / "drawn", {"lsp": (people, people)}, side=128, seed=0, progress=lambda *_: None)
        drawn = LOADERS["lsp"](home / "lsp", "test")
        for file in shipped().values():
            weights = load_weights(file, device)
            codec, own = weights.codec, drawn.to(weights.codec.skeleton)
            crops = Crops(own, load_canvases(own, round(1.5 * codec.side), folder / "canvases", progress=False), codec, device)
            batch, models = crops.batch(np.arange(len(crops))), {"": weights.model, ", folded": folded(weights.model)}
            reference = last_maps(weights.model, codec, batch.images, "fp32")
            crop_points = codec.decode(reference)[0]
            for precision, fold in product(("fp32", "bf16"), models):
                maps = last_maps(models[fold], codec, batch.images, precision)
                apart, moved = (maps - reference).abs() / codec.peak, (codec.decode(maps)[0] - crop_points).norm(dim=-1)
                errors = normalised_errors(decode(codec, maps, batch.to_image)[0], own.joints, own.torso)
                found = {"weights": weights.name, "way": precision + fold, "people": len(crops), "pck": f"{pck(errors, 0.2):.2f}"}
                found |= {"map_max": f"{apart.max():.5f}", "map_mean": f"{apart.mean():.6f}"}
                found |= {"points_mean_px": f"{moved.mean():.3f}", "points_over_1px_percent": f"{100 * (moved > 1).float().mean():.2f}"}
                rows.append(found)
                print(found, flush=True)
    return rows


def last_maps(model: nn.Module, codec, images: torch.Tensor, precision: str) -> torch.Tensor:
    return torch.cat([heatmaps(model, codec, some, precision=precision)[-1] for some in images.split(8)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=(*NETWORKS, "accuracy"), default="hourglass")
    parser.add_argument("--networks", nargs="*", help="only these, by their names in the table")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    one_thread()
    if options.family == "accuracy":
        print(write_rows(accuracy(options.device), "networks-accuracy", options.device, options.out))
        return
    rows = []
    for network in options.networks or NETWORKS[options.family]:
        rows += measure(network, options.family, options.device, options.rounds)
        print(write_rows(rows, f"networks-{options.family}", options.device, options.out))  # after each: the large ones take minutes


if __name__ == "__main__":
    main()
