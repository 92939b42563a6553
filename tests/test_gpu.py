"""A GPU says what a CPU says, within what its arithmetic rounds. Without a GPU the same code is
held to it on a CPU, where nothing may differ."""

import math
import time

import numpy as np
import pytest
import torch

from companion.runs.study import Study
from companion.settings import Folders
from paperlib.geometry import draw_augmentation
from paperlib.predict import heatmaps
from paperlib.train import LOSS, OutOfTime

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
    ),
]
# |a - b| / |b|: on a GPU convolutions of 32-bit numbers keep 10 bits of their factors (TF32), and
# 16-bit ones 7, which each layer rounds again
ROUNDED = {"cpu": {"fp32": 0.0, "bf16": 0.0}, "cuda": {"fp32": 0.02, "bf16": 0.1}}
N = 16


@pytest.fixture(params=DEVICES)
def there(request, tiny):
    """The study of `tiny` on another device, with its people and its trained runs."""
    return Study("tiny", "synthetic", request.param, progress=False, folders=tiny.folders)


def apart(one, other):
    one, other = (
        torch.cat([value.detach().cpu().float().flatten() for value in values])
        for values in (one, other)
    )
    return float((one - other).norm() / other.norm())


def batches(tiny, there, run, law):
    drawn = draw_augmentation(law, N, np.random.default_rng(0))
    crops = [
        study.crops(study.training_people(study.runs[run]), study.runs[run].codec)
        for study in (there, tiny)
    ]
    return [one.batch(np.arange(N), drawn) for one in crops]


@pytest.mark.parametrize("run", ["hourglass", "recurrent-t1-parts"])
def test_the_same_crops_and_targets(tiny, there, run):
    one, other = batches(tiny, there, run, "small")
    assert one.images.device.type == there.device.type
    # a CPU rounds to whole grey levels, before the colours are changed
    difference = 256 * (one.images.cpu() - other.images).abs()
    assert difference.mean() < 0.5 and difference.max() < 1, difference.max()
    torch.testing.assert_close(one.joints.cpu(), other.joints, rtol=0, atol=1e-3, equal_nan=True)
    codec = tiny.runs[run].codec
    mine, theirs = (
        codec.encode(batch.joints, batch.state, 16, batch.others) for batch in (one, other)
    )
    assert (
        mine.maps.cpu() - theirs.maps
    ).abs().max() < 1e-3 * codec.peak and theirs.maps.max() > 0.5 * codec.peak
    assert (mine.weights.cpu() - theirs.weights).abs().mean() < 1e-3 * theirs.weights.mean()


@pytest.mark.parametrize("run", ["hourglass", "recurrent-t1-parts"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_heatmaps(tiny, there, run, precision):
    codec, images = tiny.runs[run].codec, batches(tiny, there, run, "none")[1].images
    mine = heatmaps(there.trained(run).model, codec, images.to(there.device), precision=precision)
    theirs = heatmaps(tiny.trained(run).model, codec, images, precision=precision)
    assert len(mine) == len(theirs) and apart(mine, theirs) <= ROUNDED[there.device.type][precision]


@pytest.mark.parametrize("run", ["hourglass", "recurrent-t1-parts"])
def test_the_same_loss_and_gradient(tiny, there, run):
    found, (_, batch) = [], batches(tiny, there, run, "none")
    for study in (there, tiny):
        model, codec = study.trained(run).model.train(), study.runs[run].codec
        joints, state, others = (
            value.to(study.device) for value in (batch.joints, batch.state, batch.others)
        )
        sites = model(batch.images.to(study.device, memory_format=torch.channels_last))
        loss = LOSS[type(codec)](
            sites, lambda side, c=codec, j=joints, s=state, o=others: c.encode(j, s, side, o)
        )
        found.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
        study.trained.cache_clear()  # batch norms have moved
    limit = ROUNDED[there.device.type]["fp32"]
    assert (
        apart(found[0][:1], found[1][:1]) <= limit
        and apart(found[0][1:], found[1][1:]) <= 5 * limit
    )


def test_a_training_stops_in_time_and_goes_on(tiny, there, tmp_path):
    tiny.root  # noqa: B018 - draws the people
    (tmp_path / "drawn").symlink_to(tiny.folders.runs / "drawn")
    (tmp_path / "canvases").symlink_to(tiny.folders.runs / "canvases")
    study = Study(
        "tiny",
        "synthetic",
        str(there.device),
        progress=False,
        folders=Folders(tmp_path, tmp_path, tmp_path),
    )
    study.deadline = time.monotonic()
    with pytest.raises(OutOfTime, match="step 1 of 4"):
        study.trained("recurrent-t0")
    study.deadline = math.inf
    trained = study.trained("recurrent-t0")
    assert list(trained.log.step) == [1, 2, 3, 4] and np.isfinite(trained.log.loss).all()
    assert ("CPU" in trained.record["device"]) == (there.device.type == "cpu")
