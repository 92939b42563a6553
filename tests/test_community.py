"""Other people's checkpoints: networks under the ports' names, written out here in our own words,
say the same before and after they are loaded; what is not understood is one clear line.
"""

import functools
import json
import lzma
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from companion.app.photos import predict_photos
from companion.app.pretrained import best_weights, describe
from paperlib import PaperlibError
from paperlib.models import StackedHourglass, gmacs, parameters
from paperlib.photograph import crops_in, people_in
from paperlib.skeleton import COCO, MPII, Skeleton
from paperlib.weights import load
from paperlib.weights.export import export_safetensors
from paperlib.weights.ports import PortedHourglass

MEAN = torch.tensor([0.4404, 0.4440, 0.4327])[:, None, None]
TABLE = Path(__file__).parents[1] / "paperlib" / "weights" / "COMMUNITY.md"


class Layers:
    """Layers by name, whose weights are made up where they are first called."""

    def __init__(self, seed=0):
        self.state, self.draw = {}, torch.Generator().manual_seed(seed)

    def random(self, *shape):
        return torch.randn(shape, generator=self.draw)

    def conv(self, x, name, outputs, kernel=1, stride=1):
        if f"{name}.weight" not in self.state:
            weight = self.random(outputs, x.shape[1], kernel, kernel)
            self.state[f"{name}.weight"] = weight / (x.shape[1] * kernel**2) ** 0.5
            self.state[f"{name}.bias"] = self.random(outputs) / 10
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return F.conv2d(x, weight, bias, stride, kernel // 2)

    def norm(self, x, name):
        if f"{name}.weight" not in self.state:
            for key, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0)):
                self.state[f"{name}.{key}"] = value + self.random(x.shape[1]) / 10
            self.state[f"{name}.running_var"] = 0.5 + self.random(x.shape[1]).abs()
            self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)
        kept = [
            self.state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
        ]
        return F.batch_norm(x, *kept)

    def residual(self, x, name, outputs, inner, skip, idle):
        """`inner` is what follows the names of convolutions; `idle`: also skips it never takes."""
        y = self.conv(F.relu(self.norm(x, f"{name}.bn1")), f"{name}.conv1{inner}", outputs // 2)
        y = self.conv(F.relu(self.norm(y, f"{name}.bn2")), f"{name}.conv2{inner}", outputs // 2, 3)
        y = self.conv(F.relu(self.norm(y, f"{name}.bn3")), f"{name}.conv3{inner}", outputs)
        beside = self.conv(x, f"{name}.{skip}", outputs) if idle or x.shape[1] != outputs else x
        return y + (x if x.shape[1] == outputs else beside)


def princeton(images, stacks, modules, joints=16, seed=0):
    """(state, heatmaps of every stack) of images (B, 3, S, S) uint8."""
    net = Layers(seed)
    assert modules == 1

    def residual(x, name, outputs=256):
        return net.residual(x, name, outputs, ".conv", "skip_layer.conv", idle=True)

    def hourglass(x, name, n):
        low = residual(F.max_pool2d(x, 2), f"{name}.low1")
        low = hourglass(low, f"{name}.low2", n - 1) if n > 1 else residual(low, f"{name}.low2")
        low = residual(low, f"{name}.low3")
        return residual(x, f"{name}.up1") + F.interpolate(low, scale_factor=2)

    x = F.relu(net.norm(net.conv(images / 255, "pre.0.conv", 64, 7, 2), "pre.0.bn"))
    x = F.max_pool2d(residual(x, "pre.1", 128), 2)
    x, found = residual(residual(x, "pre.3", 128), "pre.4"), []
    for s in range(stacks):
        y = residual(hourglass(x, f"hgs.{s}.0", 4), f"features.{s}.0")
        y = net.conv(y, f"features.{s}.1.conv", 256)
        y = F.relu(net.norm(y, f"features.{s}.1.bn"))
        found.append(net.conv(y, f"outs.{s}.conv", joints))
        if s < stacks - 1:
            x = x + net.conv(found[-1], f"merge_preds.{s}.conv.conv", 256)
            x = x + net.conv(y, f"merge_features.{s}.conv.conv", 256)
    return net.state, found


def bearpaw(images, stacks, modules, joints=16, seed=0, mean=MEAN):
    net = Layers(seed)

    def residual(x, name, outputs=256):
        return net.residual(x, name, outputs, "", "downsample.0", idle=False)

    def residuals(x, name):
        for block in range(modules):
            x = residual(x, f"{name}.{block}")
        return x

    def hourglass(x, name, n):
        at = f"{name}.{n - 1}"
        low = residuals(F.max_pool2d(x, 2), f"{at}.1")
        low = hourglass(low, name, n - 1) if n > 1 else residuals(low, f"{at}.3")
        return residuals(x, f"{at}.0") + F.interpolate(residuals(low, f"{at}.2"), scale_factor=2)

    x = F.relu(net.norm(net.conv(images / 255 - mean, "conv1", 64, 7, 2), "bn1"))
    x = F.max_pool2d(residual(x, "layer1.0", 128), 2)
    x, found = residual(residual(x, "layer2.0"), "layer3.0"), []
    for s in range(stacks):
        y = residuals(hourglass(x, f"hg.{s}.hg", 4), f"res.{s}")
        y = F.relu(net.norm(net.conv(y, f"fc.{s}.0", 256), f"fc.{s}.1"))
        found.append(net.conv(y, f"score.{s}", joints))
        if s < stacks - 1:
            x = x + net.conv(y, f"fc_.{s}", 256) + net.conv(found[-1], f"score_.{s}", 256)
    return net.state, found


PORTS = {"princeton": princeton, "bearpaw": bearpaw}


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), np.uint8))


def as_crops(images):
    return (images.float() - 128) / 256


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


def saved(path, state, old=False):
    torch.save(state, path, _use_new_zipfile_serialization=not old)
    return path


def close(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


# ---------------------------------------------------------------- the same heatmaps


@pytest.mark.parametrize(
    ("port", "stacks", "modules"),
    [("princeton", 1, 1), ("princeton", 2, 1), ("bearpaw", 1, 1), ("bearpaw", 2, 2)],
)
@torch.inference_mode()
def test_a_port_s_checkpoint_gives_the_port_s_heatmaps(port, stacks, modules, images, tmp_path):
    state, expected = PORTS[port](images, stacks, modules)
    weights = load(saved(tmp_path / "some.pth", state))
    close(weights.model(as_crops(images)), expected)
    assert isinstance(weights.model, StackedHourglass) and not weights.model.training
    options = weights.record["model"]["options"]
    assert (options["stacks"], options["modules"], options["depth"]) == (stacks, modules, 4)
    assert port in weights.kind


WRAPPED = {
    "princeton's": (
        "princeton",
        "checkpoint.pt",
        lambda s: {"state_dict": prefixed(s, "model.module."), "optimizer": {}, "epoch": 3},
    ),
    "bearpaw's": (
        "bearpaw",
        "model_best.pth.tar",
        lambda s: {"epoch": 1, "arch": "hg", "state_dict": prefixed(s, "module.")},
    ),
    "with an accuracy of numpy's": (
        "bearpaw",
        "checkpoint.pth.tar",
        lambda s: {"state_dict": prefixed(s, "module."), "best_acc": np.float64(0.5)},
    ),
    "of a torch that counted no batches": (
        "bearpaw",
        "hg1.pth",
        lambda s: {k: v for k, v in s.items() if "batches" not in k},
    ),
    "in half": ("bearpaw", "hg1.pth", lambda s: {k: v.half() for k, v in s.items()}),
}


@pytest.mark.parametrize("how", WRAPPED)
@pytest.mark.parametrize("old", [False, True], ids=["zip", "pickle"])
@torch.inference_mode()
def test_however_a_port_saves_them(how, old, images, tmp_path):
    port, name, wrap = WRAPPED[how]
    state, (expected,) = PORTS[port](images, 1, 1)
    path = saved(tmp_path / name, wrap(state), old)
    (found,) = load(path).model(as_crops(images))
    allowed = 2e-2 if how == "in half" else 1e-5
    assert (found - expected).abs().max() <= allowed * expected.abs().max()


@torch.inference_mode()
def test_without_the_port_s_input_nothing_fits(images, tmp_path):
    """The check of the checks: grey padding and another scale are far beyond what is allowed."""
    state, (expected,) = princeton(images, 1, 1)
    model = load(saved(tmp_path / "some.pth", state)).model
    plain = StackedHourglass.forward(model, as_crops(images))[0]
    assert (plain - expected).abs().max() > 0.05 * expected.abs().max()


@torch.inference_mode()
def test_coco_s_joints_come_with_coco_s_mean(images, tmp_path):
    mean = torch.tensor([0.4566, 0.4369, 0.4061])[:, None, None]
    state, expected = bearpaw(images, 1, 1, joints=17, mean=mean)
    weights = load(saved(tmp_path / "coco.pth", state))
    close(weights.model(as_crops(images)), expected)
    assert weights.codec.skeleton is COCO and weights.record["joints"][0] == "nose"


@pytest.mark.parametrize(
    "file", ["princeton-hg1.checkpoint.pt", "bearpaw-hg1.pth.tar", "anibali-hg1.pth"]
)
@torch.inference_mode()
def test_what_the_ports_own_code_answered(file, tmp_path):
    folder = Path(os.environ.get("PAPERLIB_DATA", "")).expanduser().parent / "checkpoints"
    if not (folder / f"{file}.xz").is_file():
        pytest.skip(
            "needs checkpoints of the ports' own code, in `checkpoints` beside PAPERLIB_DATA"
        )
    (tmp_path / file).write_bytes(lzma.decompress((folder / f"{file}.xz").read_bytes()))
    answered = np.load(folder / f"{file.split('.')[0]}.npz")
    image = torch.from_numpy(answered["image"].transpose(2, 0, 1).copy())[None]
    close(
        load(tmp_path / file).model(as_crops(image)), [torch.from_numpy(answered["heatmaps"])[None]]
    )


# ---------------------------------------------------------------- what else is known


@pytest.fixture(scope="module")
def state(images):
    return bearpaw(images, 1, 1)[0]


@pytest.fixture(scope="module")
def checkpoint(state, tmp_path_factory):
    return saved(tmp_path_factory.mktemp("weights") / "hg_s1_b1.pth.tar", {"state_dict": state})


def test_joints_and_crop_come_with_it(checkpoint):
    weights = load(checkpoint)
    assert weights.codec.skeleton is MPII and weights.record["joints"] == list(MPII.joints)
    assert (weights.codec.side, weights.codec.margin, weights.codec.shift) == (256, 1.25, 15)
    assert weights.record["crop"] == {"side": 256, "margin": 1.25, "shift": 15.0}
    assert weights.name == "hg_s1_b1" and weights.file == checkpoint


def test_what_lies_outside_the_photograph_is_black(checkpoint):
    photo = np.full((60, 80, 3), 200, np.uint8)
    people = people_in(MPII, (80, 60), [(0, 0, 79, 59)])
    image = crops_in(load(checkpoint), photo, people).batch(np.arange(1)).images[0]
    assert image[:, 0].unique().tolist() == [-0.5] and image[:, 128, 128].tolist() == [0.28125] * 3


@pytest.mark.slow
def test_predict_takes_it(checkpoint, tmp_path):
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 70, 3), np.uint8)).save(
        tmp_path / "a.png"
    )
    found, line = predict_photos([tmp_path / "a.png"], str(checkpoint), device="cpu")
    assert list(found[0]["people"][0]["joints"]) == list(MPII.joints)
    assert (
        line.startswith("weights: hg_s1_b1, checkpoint of bearpaw/pytorch-pose")
        and "not measured" in line
    )


def test_best_weights_take_a_file_of_any_name(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(checkpoint.parent)
    assert best_weights(checkpoint.name, "cpu").name == "hg_s1_b1"
    bare = tmp_path / "checkpoint"
    bare.write_bytes(checkpoint.read_bytes())
    assert "bearpaw" in describe(best_weights(str(bare), "cpu"))


@torch.inference_mode()
def test_our_safetensors_of_it_say_the_same(checkpoint, images, tmp_path):
    before = load(checkpoint)
    record = export_safetensors(before, tmp_path / "mine.safetensors")
    after = load(tmp_path / "mine.safetensors")
    assert after.codec == before.codec and after.name == "mine" and after.record["outside"] == 0
    assert json.loads(record.read_text())["port"] == before.record["port"]
    was, now = before.model(as_crops(images))[-1], after.model(as_crops(images))[-1]
    assert (now - was).abs().max() < 0.01 * was.abs().max()


@torch.inference_mode()
def test_a_port_s_weights_as_safetensors(images, tmp_path):
    from safetensors.torch import save_file

    state, expected = princeton(images, 1, 1)
    save_file(state, tmp_path / "hg1.safetensors")
    close(best_weights(str(tmp_path / "hg1.safetensors"), "cpu").model(as_crops(images)), expected)


# ---------------------------------------------------------------- what is not understood


def without(state, name):
    return {k: v for k, v in state.items() if k != name}


def five_joints(state):
    """Only the layer by which joints are counted differs: that is seen before all the rest."""
    return state | {"score.0.weight": state["score.0.weight"][:5]}


UNREAD = {
    "another network": (
        lambda state: {"epoch": 1, "state_dict": {"layer1.0.conv1.weight": torch.ones(2, 2)}},
        r"no network known here; its keys are epoch, state_dict; 1 tensors, .* no stacks; under",
    ),
    "a hourglass of others": (
        lambda state: {"module.hg.3.conv.weight": torch.ones(2, 2)},
        r"no network known here; its keys are module.hg.3.conv.weight; 1 tensors, .* 4 stacks",
    ),
    "a list": (lambda state: [1, 2], "no network known here; it holds one list"),
    "no tensors": (lambda state: {"epoch": 1}, "its keys are epoch, and it has no tensors by name"),
    "a layer short": (
        lambda state: without(state, "res.0.0.bn1.bias"),
        r"as in bearpaw.*rounds.0.0.bottleneck.0.bias here should be \(256,\) and is absent",
    ),
    "a layer more": (
        lambda state: without(state, "") | {"extra": torch.ones(3)},
        r"what is extra here should be absent and is \(3,\)",
    ),
    "another width": (
        lambda state: without(state, "") | {"conv1.weight": torch.ones(64, 1, 7, 7)},
        r"stem.0.weight here should be \(64, 3, 7, 7\) and is \(64, 1, 7, 7\)",
    ),
    "no heatmaps": (
        lambda state: without(state, "score.0.weight"),
        "layers named as in bearpaw.*but none for heatmaps",
    ),
    "other joints": (
        five_joints,
        r"5 heatmaps, and bearpaw.* has 16 \(mpii\), 17 \(coco\); .* takes a Skeleton of 5",
    ),
}


@pytest.mark.parametrize("what", UNREAD)
def test_what_is_not_understood_is_one_line(what, state, tmp_path):
    make, message = UNREAD[what]
    with pytest.raises(PaperlibError, match=rf"some.pth: .*{message}") as error:
        load(saved(tmp_path / "some.pth", make(state)))
    assert "\n" not in str(error.value)


def test_a_skeleton_names_other_joints(images, tmp_path):
    path = saved(tmp_path / "some.pth", bearpaw(images, 1, 1, joints=2)[0])
    two = Skeleton("two", ("left_eye", "right_eye"), ((0, 1),), ())
    weights = load(path, skeleton=two)
    assert weights.codec.skeleton is two and weights.record["joints"] == ["left_eye", "right_eye"]


def test_nothing_but_tensors_is_read(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(
        PaperlibError,
        match="whole.pth: holds a Python object, torch.nn.modules.linear.Linear; only tensors",
    ):
        load(tmp_path / "whole.pth")


@pytest.mark.parametrize(
    "content", [b"", b"name = 'paperlib'\n", b"PK\x03\x04 cut short", b"\x80\x02"]
)
def test_files_that_are_no_checkpoints(content, tmp_path):
    (tmp_path / "some.pth").write_bytes(content)
    with pytest.raises(
        PaperlibError, match="some.pth: not a checkpoint (that torch can read|of torch)"
    ) as error:
        load(tmp_path / "some.pth")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "message"), [("gone.pth", "no such file"), (".", "a folder")])
def test_files_that_are_not_there(name, message, tmp_path):
    with pytest.raises(PaperlibError, match=message):
        load(tmp_path / name)


# ---------------------------------------------------------------- sizes


@functools.cache
def size(stacks, modules, stem, head):
    with torch.device("meta"):
        model = PortedHourglass(stacks=stacks, modules=modules, stem=stem, head=head)
    return f"{parameters(model):,}", f"{gmacs(model, 256):.2f}"


def rows():
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_the_table_of_checkpoints_counts_right(row):
    _, port, network, learnable, cost, *_ = row
    stacks, modules = map(int, re.findall(r"\d+", network))
    stem = "wide" if port.startswith(("bearpaw", "anibali")) else "released"
    head = "paper" if "paper" in network else "released"
    assert size(stacks, modules, stem, head) == (learnable, cost)


def test_an_unknown_stem_is_refused():
    with pytest.raises(PaperlibError, match="stem='narrow': choose it from"):
        StackedHourglass(1, stem="narrow")
