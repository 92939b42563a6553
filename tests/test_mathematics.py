"""Golden trainings and predictions: a change that moves a number fails here until the number of the
mathematics is raised, and golden.json written anew (python tests/golden_trainings.py)."""

import json

import golden_trainings as golden
import numpy as np
import pytest
import torch

from companion.drawn.synthetic import DRAWING
from paperlib import mathematics
from paperlib.device import precisions
from paperlib.predict import heatmaps
from paperlib.recipe import Recipe

KEPT = json.loads(golden.FILE.read_text())
RAISE = "the numbers moved: raise paperlib/mathematics.py and run python tests/golden_trainings.py"
# Relative, of the first three steps' losses, and of the next three: with batch norms and fresh
# moments a training is chaotic, so that the order of a processor's sums, which moves the first
# losses by under 1e-4, moves the sixth by up to 3 %. Half precision rounds to 8 (bf16) or 11 (fp16)
# binary digits in each layer.
LOSS = {"fp32": (1e-3, 0.06), "bf16": (0.1, 0.2), "fp16": (0.06, 0.12)}
# Of an untrained network's heatmaps, relative to the highest.
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
    assert KEPT["DRAWING"] == DRAWING, "raise DRAWING in companion/drawn/synthetic.py"
    assert KEPT["trained"].keys() == KEPT["predicted"].keys() == golden.CASES.keys(), RAISE


@pytest.mark.parametrize("precision", HERE)
@pytest.mark.parametrize("name", golden.CASES)
def test_a_tiny_training_has_the_losses_it_had(name, precision):
    found, kept = golden.trained(name, precision), KEPT["trained"][name]
    assert found["recipe"] == kept["recipe"], RAISE
    first, later = LOSS[precision]
    np.testing.assert_allclose(found["loss"][:3], kept["loss"][:3], rtol=first, err_msg=RAISE)
    np.testing.assert_allclose(found["loss"][3:], kept["loss"][3:], rtol=later, err_msg=RAISE)


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
    found = golden.trained("hourglass")["loss"]
    assert not np.allclose(found[:3], kept[:3], rtol=LOSS["fp32"][0])


def test_another_flip_average_is_noticed(monkeypatch):
    def plain(model, codec, images, flip=True, precision="auto"):
        return heatmaps(model, codec, images, False, precision)

    monkeypatch.setattr("paperlib.predict.heatmaps", plain)
    found, kept = (
        source["peak"] for source in (golden.predicted("hourglass"), KEPT["predicted"]["hourglass"])
    )
    assert not np.allclose(found, kept, rtol=MAPS["fp32"])


def test_a_recipe_of_the_goldens_is_a_recipe():
    for kept in KEPT["trained"].values():
        assert Recipe(**kept["recipe"]) in [recipe for _, recipe in golden.CASES.values()]


def test_the_same_seed_draws_the_same_people():
    found = golden.drawn()
    assert found.keys() == KEPT["drawn"].keys()
    for kind, kept in KEPT["drawn"].items():
        told = f"{kind}: raise DRAWING in companion/drawn/synthetic.py"
        np.testing.assert_allclose(found[kind]["joints"], kept["joints"], atol=0.02, err_msg=told)
        np.testing.assert_allclose(found[kind]["colours"], kept["colours"], atol=1, err_msg=told)
