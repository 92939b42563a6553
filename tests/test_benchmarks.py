"""The benchmark of the networks: it runs, and its page states what its tables hold."""

import csv
import importlib
import sys
from pathlib import Path

import pytest

from paperlib.codecs import HourglassCodec
from paperlib.device import choose_precision
from paperlib.models import StackedHourglass

HOME = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def networks(monkeypatch):
    monkeypatch.syspath_prepend(str(HOME))
    yield importlib.import_module("networks")
    sys.modules.pop("networks")


def test_every_way_makes_a_step_and_heatmaps(networks, monkeypatch):
    small = {"hourglass": {"small": (StackedHourglass, (1, 1, 16, 16), HourglassCodec(side=64))}}
    monkeypatch.setattr(networks, "NETWORKS", small)
    monkeypatch.setattr(networks, "memory", lambda *_: 100.0)
    monkeypatch.setattr(networks, "get_context", lambda _: NoPool)
    rows = networks.measure("small", "hourglass", "cpu", 1)
    both = ("training step", "inference with flip")
    assert [(row["what"], row["way"]) for row in rows] == [
        (what, way) for what in both for way in networks.ways("cpu")
    ]
    for what in ("training step", "inference with flip"):
        here = {
            row["way"]: (float(row["images_per_s"]), float(row["speedup"]))
            for row in rows
            if row["what"] == what
        }
        faster = max(rate for way, (rate, _) in here.items() if "plain" in way)
        # the rates are rounded to 0.001 a second, and a busy machine makes less than one
        assert all(
            rate > 0 and speedup == pytest.approx(rate / faster, rel=0.002, abs=0.01)
            for rate, speedup in here.values()
        )
    own = f"here, {choose_precision('cpu')}"
    assert {row["way"] for row in rows if row.get("peak_mib")} == {"plain port, NHWC", own}


def test_a_public_port_takes_part(networks, monkeypatch, tmp_path):
    """A checkout that holds a network under a port's file name; speed-ups over it stand beside
    those over a plain port."""
    folder = tmp_path / "port"
    (folder / "pose" / "models").mkdir(parents=True)
    (folder / "pose" / "models" / "hourglass.py").write_text(
        "from torch import nn\n"
        "class One(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Conv2d(3, 16, 8, 4, 2)\n"
        "    def forward(self, x):\n"
        "        return [self.layer(x)]\n"
        "def hg(num_stacks, num_blocks, num_classes):\n"
        "    return One()\n"
    )
    small = {"hourglass": {"small": (StackedHourglass, (1, 1, 16, 16), HourglassCodec(side=64))}}
    monkeypatch.setattr(networks, "NETWORKS", small)
    monkeypatch.setattr(networks, "memory", lambda *_: 100.0)
    monkeypatch.setattr(networks, "get_context", lambda _: NoPool)
    rows = networks.measure("small", "hourglass", "cpu", 1, [folder])
    (port,) = (
        row for row in rows if row["way"] == "bearpaw port" and row["what"] == "training step"
    )
    assert port["over_ports"] == "1.00" and float(port["speedup"]) > 1
    with pytest.raises(SystemExit, match="none of models/posenet.py"):
        networks.port_name(tmp_path)


def test_what_is_measured_as_compiled_is(networks, monkeypatch):
    compiled = []
    monkeypatch.setattr(networks.torch, "compile", lambda model: compiled.append(model) or model)
    monkeypatch.setitem(networks.BATCH, "cpu", 1)
    for way in ("here, compiled fp32", "here, fp32"):
        (
            networks.training_step("hourglass, 1 stack", "hourglass", way, "cpu"),
            networks.inference("hourglass, 1 stack", "hourglass", way, "cpu"),
        )
    assert len(compiled) == 2


class NoPool:
    Pool = staticmethod(lambda *_, **__: NoPool())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def apply(self, call, given):
        return call(*given)


def test_the_page_states_what_the_tables_hold():
    page, seen = (HOME / "README.md").read_text(), 0
    for table in [
        *HOME.glob("networks-hourglass-amd-epyc.csv"),
        *HOME.glob("networks-recurrent-amd-epyc.csv"),
    ]:
        rows = list(csv.DictReader(table.open()))
        for network in dict.fromkeys(row["network"] for row in rows):
            numbers = []
            for what in ("training step", "inference with flip"):
                mine = {
                    row["way"]: row
                    for row in rows
                    if row["network"] == network and row["what"] == what
                }
                plain = max(
                    (row for way, row in mine.items() if "plain" in way),
                    key=lambda row: float(row["images_per_s"]),
                )
                rates = [float(row["images_per_s"]) for row in (plain, mine["here, bf16"])]
                numbers += [
                    f"{rates[0]:.3g}",
                    f"{rates[1]:.3g}",
                    mine["here, bf16"]["speedup"],
                    mine["here, fp32"]["speedup"],
                ]
            peaks = {
                row["way"]: row["peak_mib"]
                for row in rows
                if row["network"] == network and row["peak_mib"]
            }
            numbers += [peaks["plain port, NHWC"], peaks["here, bf16"]]
            assert f"| {network} | {' | '.join(numbers)} |" in page, (
                f"| {network} | {' | '.join(numbers)} |"
            )
            seen += 1
    assert seen
    for row in csv.DictReader((HOME / "networks-accuracy-amd-epyc.csv").open()):
        if row["way"] != "fp32":
            top, mean, px = (float(row[key]) for key in ("map_max", "map_mean", "points_mean_px"))
            shares = f"{top:.4f} | {mean:.5f} | {px:.2f}"
            assert (
                f"| {row['weights']} | {row['way']} | {shares} | "
                f"{float(row['points_over_1px_percent']):.1f} % | {row['pck']} |" in page
            )
