"""paperlib export: ONNX as onnxruntime runs it, and .safetensors that load again."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from companion.app.cli import app
from paperlib import PaperlibError, weights
from paperlib.codecs import HourglassCodec
from paperlib.models import StackedHourglass
from paperlib.skeleton import MPII
from paperlib.weights import export, load, save_weights
from paperlib.weights.ports import PortedHourglass

SMALL = {"stacks": 2, "features": 16, "depth": 3}
NETWORKS = {
    "ours": (StackedHourglass, SMALL, {}),
    "a port's": (
        PortedHourglass,
        SMALL | {"mean": (0.4, 0.5, 0.3), "stem": "wide"},
        {"outside": 0},
    ),
}


def little(folder, kind="ours"):
    """The record of untrained weights whose norms are not the identity."""
    torch.manual_seed(0)
    network, options, known = NETWORKS[kind]
    model = network(**options)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    record = {"name": "little", "kind": "untrained"} | known
    return save_weights(record, model.eval(), HourglassCodec(side=64), options, folder)


@pytest.mark.parametrize("kind", NETWORKS)
def test_onnxruntime_says_the_same_for_any_number_of_images(kind, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    network = load(little(tmp_path, kind))
    known = export.export_onnx(network, tmp_path / "new" / "little.onnx")
    session = runtime.InferenceSession(tmp_path / "new" / "little.onnx")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["little.onnx"]
    for count in (1, 3):
        images = torch.rand(count, 3, 64, 64) - 0.5
        with torch.inference_mode():
            expected = network.model(images)[-1].numpy()
        (found,) = session.run(["heatmaps"], {"images": images.numpy()})
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    stored = session.get_modelmeta().custom_metadata_map
    assert {key: json.loads(stored[key]) for key in ("joints", "side", "opset", "outside")} == {
        "joints": list(MPII.joints),
        "side": 64,
        "opset": 18,
        "outside": 0 if kind == "a port's" else 128,
    }
    assert stored.keys() == known.keys() and known["joints"] == list(MPII.joints)


def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "NEEDED", ("json", "not_there"))
    with pytest.raises(
        PaperlibError,
        match="little.onnx: not written; ONNX needs not_there: pip install 'two-pose-papers.onnx.'",
    ):
        export.export_onnx(load(little(tmp_path)), tmp_path / "little.onnx")
    assert not (tmp_path / "little.onnx").exists()


def test_the_door_writes_safetensors_that_load(tmp_path, monkeypatch):
    record = little(tmp_path)
    monkeypatch.setattr(weights, "SHARD", 6_000)  # what is shipped comes in parts; this does not
    done = CliRunner().invoke(
        app, ["export", str(record), "--safetensors", str(tmp_path / "again.safetensors"), "--json"]
    )
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)["safetensors"]
    assert written == {
        "file": str(tmp_path / "again.safetensors"),
        "record": str(tmp_path / "again.json"),
    }
    before, after = load(record), load(written["file"])
    assert after.name == "again" and after.kind == "untrained" and after.codec == before.codec
    for name, value in before.model.state_dict().items():
        assert torch.equal(value, after.model.state_dict()[name])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say what to write, with --onnx FILE"),
        (["--safetensors", "little.bin"], "little.bin: the name ends in .safetensors"),
    ],
)
def test_the_door_says_what_is_missing(words, message, tmp_path):
    done = CliRunner().invoke(app, ["export", str(little(tmp_path)), *words])
    assert isinstance(done.exception, PaperlibError) and message in str(done.exception)
