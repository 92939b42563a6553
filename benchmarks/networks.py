"""Images a second of a training step and of inference with flip averaging, and the memory of a
step: a plain port's way against this library's.

    python benchmarks/networks.py [--family hourglass|recurrent|accuracy] [--rounds 3] [--device
    cpu|cuda] [--ports CHECKOUT ...]

Hourglasses of 1, 2, 4 and 8 stacks at 256 px, recurrent models of 0, 1 and 2 iterations at 248 px,
all at the papers' width with 16 joints. A plain port is fp32 and eager, in either memory format,
its optimiser not fused, and sees each person and then the mirrored image. `--ports` are checkouts
of public ports, princeton-vl/pytorch_stacked_hourglass or bearpaw/pytorch-pose, whose hourglasses
then take part as they ship. "here" is in fp32, and in the device's own arithmetic where that is
another (ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 forbid it). The ways take turns; the best
round of each counts, in the processor's time on one thread of a CPU, by the clock on a GPU. Crops
and targets are made beforehand. Memory is the peak of a process that makes one training step and
nothing else. `accuracy` says what bf16 costs, with the weights that come with the package, on drawn
people. Writes benchmarks/networks-<family>-<device>.csv and
benchmarks/networks-accuracy-<device>.csv.
"""

import argparse
import importlib.util
import math
import re
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from measuring import best, one_thread, write_rows
from torch import nn

from companion.drawn.synthetic import make_synthetic
from paperlib.codecs import HourglassCodec, RecurrentCodec, Targets
from paperlib.data.canvases import load_canvases
from paperlib.data.crops import Crops
from paperlib.data.datasets import DATASETS
from paperlib.device import autocast, choose_precision, loss_scaler
from paperlib.metrics import normalised_errors, pck
from paperlib.models import Recurrent, StackedHourglass
from paperlib.predict import decode, folded, heatmaps, people_at_once
from paperlib.recipe import Recipe, make_optimizer
from paperlib.train import LOSS, descend
from paperlib.weights import load_weights, shipped

NETWORKS = {
    "hourglass": {
        f"hourglass, {stacks} stack{'s' * (stacks > 1)}": (
            StackedHourglass,
            (stacks,),
            HourglassCodec(),
        )
        for stacks in (1, 2, 4, 8)
    },
    "recurrent": {
        f"recurrent, T={t}": (Recurrent, (16, 15, t), RecurrentCodec()) for t in (0, 1, 2)
    },
}
FORMATS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
PLAIN = ("plain port, NCHW", "plain port, NHWC")
PORTS = {
    "princeton": "models/posenet.py",
    "bearpaw": "pose/models/hourglass.py",
}  # what tells a checkout of each


def ways(device: str, ports: list[Path] = ()) -> tuple[str, ...]:
    """What is measured: plain ports, public ones, and ours in fp32 and in the device's own
    arithmetic; compiled on a GPU alone, for on a CPU that does not pay, and train.py does without
    it until a GPU has been measured."""
    own = choose_precision(device)
    ours = [f"here, {precision}" for precision in dict.fromkeys(("fp32", own))]
    compiled = [f"here, compiled {own}"] if device == "cuda" else []
    return (*PLAIN, *map(port_name, ports), *ours, *compiled)


def port_name(checkout: Path) -> str:
    found = [name for name, file in PORTS.items() if (checkout / file).is_file()]
    if not found:
        raise SystemExit(
            f"{checkout}: none of {', '.join(PORTS.values())} is in it; give a checkout of "
            "one of the two public ports"
        )
    return f"{found[0]} port: {checkout}"


class Port(nn.Module):
    """A public port's hourglasses, as it ships them, with our interface: images (B, 3, H, W) -> a
    list of heatmap sets."""

    def __init__(self, way: str, stacks: int):
        super().__init__()
        name, _, checkout = way.partition(" port: ")
        self.permuted = name == "princeton"
        file = Path(checkout, PORTS[name])
        sys.path.insert(0, checkout)  # princeton's imports its neighbours
        try:
            spec = importlib.util.spec_from_file_location(f"{name}_port", file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(checkout)
        self.network = (
            module.PoseNet(stacks, 256, 16)
            if self.permuted
            else module.hg(num_stacks=stacks, num_blocks=1, num_classes=16)
        )

    def forward(self, images):
        if self.permuted:
            return list(self.network(images.permute(0, 2, 3, 1)).unbind(1))
        return self.network(images)


def is_plain(way: str) -> bool:
    return "port" in way


def network_of(network: str, family: str, way: str) -> nn.Module:
    build, options, _ = NETWORKS[family][network]
    return Port(way, options[0]) if " port: " in way else build(*options)


BATCH = {"cpu": 2, "cuda": 16}  # people in a training step
REPEATS = {"cpu": 1, "cuda": 20}  # steps between two looks at the clock


def training_step(network: str, family: str, way: str, device: str) -> Callable[[], None]:
    """One step of `way`, to be called again and again."""
    codec = NETWORKS[family][network][2]
    torch.manual_seed(0)
    model = network_of(network, family, way).train()
    images = torch.rand(BATCH[device], 3, codec.side, codec.side, device=device) - 0.5
    maps = torch.rand(
        BATCH[device], codec.channels, codec.side // 4, codec.side // 4, device=device
    )
    layout = (
        FORMATS.get(way[-4:], torch.contiguous_format) if is_plain(way) else torch.channels_last
    )
    model, images = model.to(device, memory_format=layout), images.to(memory_format=layout)
    if is_plain(way):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-6, foreach=device == "cuda")
    else:
        optimizer = make_optimizer(model, Recipe(1, BATCH[device], 1e-6), way[-4:])
        scaler = loss_scaler(torch.device(device), way[-4:])
    model = torch.compile(model) if "compiled" in way else model
    targets, loss_of = Targets(maps, torch.ones_like(maps)), LOSS[type(codec)]

    def step():
        if not is_plain(way):
            with autocast(torch.device(device), way[-4:]):
                sites = model(images)
            return descend(loss_of(sites, lambda side: targets), optimizer, scaler)
        loss = sum(nn.functional.mse_loss(site, maps) for site in model(images))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def inference(network: str, family: str, way: str, device: str) -> tuple[Callable[[], None], int]:
    """Heatmaps of some people averaged with the mirrored image's, and how many people they are: one
    for a plain port on a CPU, which has its best rate there; here as many as `predict` takes."""
    codec = NETWORKS[family][network][2]
    at_once = people_at_once(
        codec.side, True, "fp32" if is_plain(way) else way[-4:], torch.device(device)
    )
    people = min(16, at_once) if device == "cuda" else 1 if is_plain(way) else at_once
    layout = (
        FORMATS.get(way[-4:], torch.contiguous_format) if is_plain(way) else torch.channels_last
    )
    model = network_of(network, family, way).to(device, memory_format=layout).eval()
    images, swap = (
        torch.rand(people, 3, codec.side, codec.side, device=device) - 0.5,
        torch.as_tensor(codec.mirror, device=device),
    )

    @torch.no_grad()
    def plain():
        straight, mirrored = (
            model(x.to(memory_format=layout))[-1] for x in (images, images.flip(-1))
        )
        return (straight + mirrored.flip(-1)[:, swap]) / 2

    ours = (
        None
        if is_plain(way)
        else torch.compile(folded(model))
        if "compiled" in way
        else folded(model)
    )
    return plain if ours is None else lambda: heatmaps(
        ours, codec, images, precision=way[-4:]
    ), people


def rounds(ways: dict[str, Callable[[], None]], device: str, n: int) -> dict[str, float]:
    """The best seconds of each way, which take turns: on a CPU the processor's, on a GPU the
    clock's until all is done."""
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


def measure(network: str, family: str, device: str, n: int, ports: list[Path] = ()) -> list[dict]:
    rows, all_ways = [], ways(device, ports if family == "hourglass" else ())
    steps = {way: training_step(network, family, way, device) for way in all_ways}
    seconds = rounds(steps, device, n)
    del steps
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:  # each in a process of its own
        peaks = {
            way: f"{pool.apply(memory, (network, family, way, device)):.0f}"
            for way in (PLAIN[1], f"here, {choose_precision(device)}")
        }
    rows += [
        row("training step", BATCH[device], way, seconds) | {"peak_mib": peaks.get(way, "")}
        for way in all_ways
    ]
    runs = {way: inference(network, family, way, device) for way in all_ways}
    each = rounds({way: run for way, (run, _) in runs.items()}, device, n)
    people = {way: count for way, (_, count) in runs.items()}
    seconds = {way: each[way] / people[way] for way in all_ways}
    rows += [row("inference with flip", people[way], way, seconds, 1) for way in all_ways]
    for r in rows:
        print(
            f"{network:20} {r['what']:20} {r['way']:17} {r['images_per_s']:>9}/s "
            f"{r['speedup']:>6} x {r.get('peak_mib', ''):>6} MiB",
            flush=True,
        )
    return [{"network": network} | r for r in rows]


def row(what: str, batch: int, way: str, seconds: dict[str, float], images: int = 0) -> dict:
    """`seconds` are of `images`, or of the whole batch; the speed-ups are over the faster of the
    two plain ports, and of the public ones."""
    plain = min(value for name, value in seconds.items() if name in PLAIN)
    public = min((value for name, value in seconds.items() if " port: " in name), default=math.nan)
    rate = (images or batch) / seconds[way]
    against = {
        "speedup": f"{plain / seconds[way]:.2f}",
        "over_ports": "" if math.isnan(public) else f"{public / seconds[way]:.2f}",
    }
    return {
        "what": what,
        "way": way.partition(":")[0],
        "batch": batch,
        "images_per_s": f"{rate:.3f}",
    } | against


def accuracy(device: str, people: int = 200) -> list[dict]:
    """What bf16, and the folding of batch norms, cost against fp32 as trained: differences of
    heatmaps in parts of the target's peak, of points in px of the crop, and PCK@0.2."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = make_synthetic(
            folder / "drawn", {"lsp": (people, people)}, side=128, seed=0, progress=lambda *_: None
        )
        drawn = DATASETS["lsp"].load(home / "lsp", "test")
        for file in shipped().values():
            weights = load_weights(file, device)
            codec, own = weights.codec, drawn.to(weights.codec.skeleton)
            crops = Crops(
                own,
                load_canvases(own, round(1.5 * codec.side), folder / "canvases", progress=False),
                codec,
                device,
            )
            batch, models = (
                crops.batch(np.arange(len(crops))),
                {"": weights.model, ", folded": folded(weights.model)},
            )
            reference = last_maps(weights.model, codec, batch.images, "fp32")
            crop_points = codec.decode(reference)[0]
            for precision, fold in product(
                dict.fromkeys(("fp32", choose_precision(device))), models
            ):
                maps = last_maps(models[fold], codec, batch.images, precision)
                apart, moved = (
                    (maps - reference).abs() / codec.peak,
                    (codec.decode(maps)[0] - crop_points).norm(dim=-1),
                )
                errors = normalised_errors(
                    decode(codec, maps, batch.to_image)[0], own.joints, own.torso
                )
                found = {
                    "weights": weights.name,
                    "way": precision + fold,
                    "people": len(crops),
                    "pck": f"{pck(errors, 0.2):.2f}",
                }
                found |= {"map_max": f"{apart.max():.5f}", "map_mean": f"{apart.mean():.6f}"}
                found |= {
                    "points_mean_px": f"{moved.mean():.3f}",
                    "points_over_1px_percent": f"{100 * (moved > 1).float().mean():.2f}",
                }
                rows.append(found)
                print(found, flush=True)
    return rows


def last_maps(model: nn.Module, codec, images: torch.Tensor, precision: str) -> torch.Tensor:
    return torch.cat(
        [heatmaps(model, codec, some, precision=precision)[-1] for some in images.split(8)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=(*NETWORKS, "accuracy"), default="hourglass")
    parser.add_argument("--networks", nargs="*", help="only these, by their names in the table")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--ports",
        nargs="*",
        type=Path,
        default=[],
        help="checkouts of public ports, measured beside ours",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    one_thread()
    if options.family == "accuracy":
        print(
            write_rows(accuracy(options.device), "networks-accuracy", options.device, options.out)
        )
        return
    rows = []
    for network in options.networks or NETWORKS[options.family]:
        rows += measure(network, options.family, options.device, options.rounds, options.ports)
        # after each: the large ones take minutes
        print(write_rows(rows, f"networks-{options.family}", options.device, options.out))


if __name__ == "__main__":
    main()
