"""The layer table is the model, and the diagrams are the table."""

import io

import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Circle
from torch import nn

from companion.figures.diagrams import (
    hourglass_diagram,
    layers,
    recurrent_diagram,
    residual_diagram,
    stack_diagram,
)
from companion.figures.strokes import LOSS
from paperlib.models import ErrorFeedback, PoseMachine, Recurrent, StackedHourglass, parameters
from paperlib.models.hourglass import Residual


def on_meta(make, *args, **options) -> nn.Module:
    with torch.device("meta"):
        return make(*args, **options)


def stored(table: pd.DataFrame) -> pd.DataFrame:
    """As it comes back from the csv beside a figure."""
    return pd.read_csv(
        io.StringIO(table.to_csv(index=False)), keep_default_na=False, na_values=[""]
    )


def words(figure) -> str:
    return "\n".join(text.get_text() for text in figure.axes[0].texts)


def losses(figure) -> list[float]:
    """Where the red circles are, in inches from the left."""
    return [
        patch.center[0]
        for patch in figure.axes[0].patches
        if isinstance(patch, Circle) and to_hex(patch.get_facecolor()).upper() == LOSS
    ]


@pytest.fixture(scope="module")
def recurrent() -> pd.DataFrame:
    return layers(on_meta(Recurrent), 248)


@pytest.fixture(scope="module")
def hourglass() -> pd.DataFrame:
    return layers(on_meta(StackedHourglass), 256, blocks=(Residual,))


@pytest.mark.parametrize(
    "model, side",
    [(Recurrent, 248), (StackedHourglass, 256), (PoseMachine, 368), (ErrorFeedback, 224)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_parameters_of_the_table_are_those_of_the_model(model, side):
    network = on_meta(model)
    assert layers(network, side).parameters.sum() == parameters(network)


def test_blocks_hide_what_is_inside_but_not_what_it_weighs(hourglass):
    assert hourglass.parameters.sum() == 25_434_112
    # stem; each hourglass, and the one behind it in the released head
    assert (hourglass.kind == "residual").sum() == 3 + 8 * (13 + 1)
    assert not hourglass.name.str.contains("bottleneck").any()


def test_recurrent_layers_are_those_of_the_released_code(recurrent):
    """FACTS A.1: kernels and widths in order, every pass alike."""
    convs = recurrent[recurrent.kind == "conv"]
    forward = [
        (3, 64),
        (3, 64),
        (3, 64),
        (3, 128),
        (3, 128),
        (3, 128),
        (9, 256),
        (9, 512),
        (1, 256),
        (1, 256),
        (1, 31),
    ]
    fusion = [(7, 64), (13, 64), (13, 128), (1, 256), (1, 31)]
    assert list(zip(convs.kernel, convs.outputs, strict=True)) == forward + 3 * fusion
    assert recurrent[recurrent.kind == "concatenate"].inputs.tolist() == [128 + 256] * 3


def test_filters_are_shared_over_the_passes_and_batch_norms_are_not(recurrent):
    fusion = recurrent[recurrent.name.str.startswith("fusion.")]
    assert (fusion.calls[fusion.kind == "conv"] == 3).all() and (
        fusion.calls[fusion.kind == "batch norm"] == 1
    ).all()
    assert (fusion.parameters[(fusion.kind == "conv") & (fusion.call > 1)] == 0).all()


def test_sites_are_numbered_at_the_convolutions_that_make_them(recurrent, hourglass):
    assert recurrent[recurrent.site > 0][["name", "kind", "site"]].to_numpy().tolist() == [
        ["layer8a", "conv", 1],
        ["layer8", "conv", 2],
        ["layer8", "conv", 3],
        ["layer8", "conv", 4],
    ]
    assert hourglass.name[hourglass.site > 0].tolist() == [
        f"junctions.{stack}.heatmaps" for stack in range(7)
    ] + ["heatmaps"]


def test_resolutions_of_one_hourglass(hourglass):
    one = hourglass[hourglass.name.str.startswith("hourglasses.3") & (hourglass.kind == "residual")]
    assert sorted(one.side) == sorted([64] + 3 * [32] + 3 * [16] + 3 * [8] + 3 * [4])
    counts = hourglass[hourglass.name.str.startswith("hourglasses.3")].kind.value_counts()
    assert counts["max pool"] == counts["upsample"] == counts["add"] == 4


def test_the_model_is_left_as_it_was():
    model = Recurrent(width=4, kernels=(3, 3, 3, 3, 3)).train()
    layers(model, 32)
    assert model.training and next(model.parameters()).device.type == "cpu"
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_recurrent_diagram_has_a_loss_for_every_site(iterations):
    table = layers(on_meta(Recurrent, iterations=iterations, parts=0), 248)
    figure = recurrent_diagram(stored(table))
    text = words(figure)
    assert len(losses(figure)) == iterations + 2
    assert (
        all(f"8{letter}" in text for letter in "ABCD"[: iterations + 2])
        and f"8{'ABCDE'[iterations + 2]}" not in text
    )
    assert f"pass {iterations}" in text and f"pass {iterations + 1}" not in text
    assert f"{table.parameters.sum():,}" in text and "1x1, 16" in text


def test_stack_diagram_counts_stacks_and_losses(hourglass):
    figure = stack_diagram(stored(hourglass))
    assert "8 losses, each on 16 heatmaps of 64 px" in words(figure) and len(losses(figure)) == 8
    last = layers(
        on_meta(StackedHourglass, 2, 4, features=32, supervision="last"), 256, blocks=(Residual,)
    )
    figure = stack_diagram(stored(last))
    assert "2 hourglasses of 52 residual modules" in words(
        figure
    ) and "Red: 1 loss on 16 heatmaps" in words(figure)
    (only,) = losses(figure)
    assert only > 8  # inches: behind the second hourglass, not behind the first


def test_hourglass_diagram_shows_each_resolution(hourglass):
    text = words(
        hourglass_diagram(stored(hourglass[hourglass.name.str.startswith("hourglasses.0")]))
    )
    assert (
        all(f"\n{side}\n" in f"\n{text}\n" for side in (64, 32, 16, 8, 4)) and "2,788,864" in text
    )
    deep = layers(on_meta(StackedHourglass, 1, 8, features=32, depth=3), 64, blocks=(Residual,))
    assert "x8" in words(hourglass_diagram(stored(deep[deep.name.str.startswith("hourglasses.0")])))


@pytest.mark.parametrize("head, residual", [("released", True), ("paper", False)])
def test_residual_diagram_shows_the_head_that_is_there(head, residual):
    table = layers(on_meta(StackedHourglass, 2, head=head), 256)
    text = words(
        residual_diagram(
            stored(
                table[
                    table.name.str.startswith(("hourglasses.0.keep.0.", "rounds.0.", "junctions.0"))
                ]
            )
        )
    )
    assert "214,528" in text and ("resid-" in text) == residual


def test_what_a_diagram_says_of_sharing_and_of_order_is_read_off_the_table(recurrent, hourglass):
    """The words change with the rows: shared norms, shared heads, shared stacks, a convolution
    before its norm."""
    told = words(recurrent_diagram(stored(recurrent)))
    assert (
        "each pass its own" in told
        and "8A has filters of its own, the later heads share theirs" in told
    )
    common = recurrent.assign(
        calls=recurrent.calls.where(~recurrent.name.str.startswith("fusion.norms"), 3)
    )
    assert "all passes the same" in words(recurrent_diagram(stored(common)))
    alone = layers(on_meta(Recurrent, iterations=0), 248)
    assert "share theirs" not in words(recurrent_diagram(stored(alone)))

    assert "No filters are shared." in words(stack_diagram(stored(hourglass)))
    assert "No filters" not in words(stack_diagram(stored(hourglass.assign(calls=2))))

    whole = layers(on_meta(StackedHourglass, 2, features=32), 64)
    assert "batch norm and ReLU before each convolution" in words(residual_diagram(stored(whole)))
    inside = whole.name.str.startswith("hourglasses.0.keep.0.bottleneck")
    turned = pd.concat([whole[~inside], whole[inside][::-1]])
    assert "before each convolution" not in words(residual_diagram(stored(turned)))
