"""Golden trainings and predictions: a change that moves a number fails here until the number of the
mathematics is raised, and golden.json written anew (python tests/golden_trainings.py)."""

import json

import golden_trainings as golden
import numpy as np
import pytest
import torch

from paperlib import mathematics
from paperlib.device import precisions
from paperlib.predict import heatmaps
from paperlib.train import Recipe

KEPT = json.loads(golden.FILE.read_text())
RAISE = "the numbers moved: raise paperlib/mathematics.py and run python tests/golden_trainings.py"
# Relative, of six steps' losses and of an untrained network's heatmaps. In fp32 processors differ by
# the order of their sums; half precision rounds to 8 (bf16) or 11 (fp16) binary digits in each layer.
LOSS = {"fp32": 1e-3, "bf16": 0.1, "fp16": 0.06}
MAPS = {"fp32": 1e-3, "bf16": 0.05, "fp16": 0.02}
HERE = precisions(torch.device("cpu"))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_golden_numbers_are_of_this_mathematics():
    assert KEPT["TRAINING"] == mathematics.TRAINING, RAISE
    assert KEPT["PREDICTION"] == mathematics.PREDICTION, RAISE
    assert KEPT["trained"].keys() == KEPT["predicted"].keys() == golden.CASES.keys(), RAISE


@pytest.mark.parametrize("precision", HERE)
@pytest.mark.parametrize("name", golden.CASES)
def test_a_tiny_training_has_the_losses_it_had(name, precision):
    found, kept = golden.trained(name, precision), KEPT["trained"][name]
    assert found["recipe"] == kept["recipe"], RAISE
    np.testing.assert_allclose(found["loss"], kept["loss"], rtol=LOSS[precision], err_msg=RAISE)


@pytest.mark.parametrize("precision", HERE)
@pytest.mark.parametrize("name", golden.CASES)
def test_an_untrained_network_predicts_what_it_did(name, precision):
    found, kept = golden.predicted(name, precision), KEPT["predicted"][name]
    for key in ("peak", "mean"):
        scale = max(1e-3, np.abs(kept["peak"]).max())  # filters of N(0, 0.01²) leave nothing to see
        np.testing.assert_allclose(
            found[key], kept[key], rtol=0, atol=MAPS[precision] * scale, err_msg=f"{key}: {RAISE}"
        )
    if precision == "fp32":  # 128 points on average; half precision moves some arg-max far
        np.testing.assert_allclose(found["points"], kept["points"], atol=0.5, err_msg=RAISE)


def test_another_activation_is_noticed(monkeypatch):
    kept = KEPT["trained"]["hourglass"]["loss"]
    monkeypatch.setattr(torch.nn, "ReLU", lambda inplace=False: torch.nn.GELU())
    assert not np.allclose(golden.trained("hourglass")["loss"], kept, rtol=LOSS["fp32"])


def test_another_flip_average_is_noticed(monkeypatch):
    def plain(model, codec, images, flip=True, precision="auto"):
        return heatmaps(model, codec, images, False, precision)

    monkeypatch.setattr("paperlib.predict.heatmaps", plain)
    found, kept = (source["peak"] for source in (golden.predicted("hourglass"), KEPT["predicted"]["hourglass"]))
    assert not np.allclose(found, kept, rtol=MAPS["fp32"])


def test_a_recipe_of_the_goldens_is_a_recipe():
    for kept in KEPT["trained"].values():
        assert Recipe(**kept["recipe"]) in [recipe for _, recipe in golden.CASES.values()]
