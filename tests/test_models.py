"""The networks: exact sizes (FACTS A.1, B, C.2), what is shared, where the supervised sites are,
how far they see, and that they train."""

import json
from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from paperlib import PaperlibError
from paperlib.models import (
    ErrorFeedback,
    PoseMachine,
    Recurrent,
    StackedHourglass,
    conv_weights,
    gmacs,
    model_sizes,
    paper_rule,
    parameters,
    receptive_field,
)
from paperlib.models.error_feedback import draw
from paperlib.models.pose_machine import middle

SMALL = {
    "recurrent": lambda: Recurrent(
        width=8, kernels=(5, 5, 5, 5, 5), relu_heads=False, init="torch"
    ),
    "hourglass": lambda: StackedHourglass(2, features=32, depth=3),
    "hourglass-june": lambda: StackedHourglass(2, modules=2, features=32, depth=3, head="paper"),
    "hourglass-last": lambda: StackedHourglass(2, features=32, depth=3, supervision="last"),
    "hourglass-upsampling": lambda: StackedHourglass(
        1, features=32, depth=3, supervision="upsampling"
    ),
}
COMPARED = {"cpm": PoseMachine, "ief": ErrorFeedback}


def on_meta(build, *args, **kwargs):
    with torch.device("meta"):
        return build(*args, **kwargs)


def shapes(sites):
    return [tuple(site.shape) for site in sites]


def changed(model, images, mutate):
    """Which sites change when `mutate` does."""
    before = model(images)
    with torch.no_grad():
        mutate(model)
    return [not torch.equal(a, b) for a, b in zip(before, model(images), strict=True)]


# Sizes


@pytest.mark.parametrize(
    "stacks, modules, released, june",
    [
        (1, 1, 3_426_448, 3_211_920),
        (2, 1, 6_570_400, 6_141_344),
        (4, 1, 12_858_304, 12_000_192),
        (8, 1, 25_434_112, 23_717_888),
        (1, 8, 24_450_192, 23_198_096),
        (2, 4, 24_590_752, 23_272_352),
        (4, 2, 24_871_872, 23_420_864),
    ],
)
def test_hourglass_parameters_are_those_of_facts_c2(stacks, modules, released, june):
    assert parameters(on_meta(StackedHourglass, stacks, modules)) == released
    assert parameters(on_meta(StackedHourglass, stacks, modules, head="paper")) == june


@pytest.mark.parametrize("stacks, expected", [(1, 5.15), (2, 8.34), (4, 14.70), (8, 27.44)])
def test_hourglass_gmacs(stacks, expected):
    assert gmacs(on_meta(StackedHourglass, stacks), 256) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    "iterations, learnable, cost", [(2, 17_247_934, 95.3), (1, 17_247_422, 82.5)]
)
def test_recurrent_sizes(iterations, learnable, cost):
    model = on_meta(Recurrent, iterations=iterations)
    assert parameters(model) == learnable
    assert conv_weights(model) == 17_241_280
    assert paper_rule(model) == 103_806
    assert gmacs(model, 248) == pytest.approx(cost, rel=0.005)


def test_table_iii_of_r_omits_the_7x7_fusion_convolution():
    model = on_meta(Recurrent)
    first_fusion = model.fusion.layer6[0]
    assert paper_rule(model) - first_fusion.weight[:, 0].numel() == 100_670


def test_compared_models_have_their_exact_sizes():
    cpm, ief = on_meta(PoseMachine), on_meta(ErrorFeedback)
    assert (parameters(cpm), conv_weights(cpm), paper_rule(cpm)) == (
        31_219_866,
        31_215_232,
        342_042,
    )
    assert (parameters(ief), conv_weights(ief), paper_rule(ief)) == (6_059_664, 6_052_352, 48_528)
    assert gmacs(cpm, 368) == pytest.approx(175, rel=0.005)
    assert gmacs(ief, 224) / ief.steps == pytest.approx(2.25, rel=0.005)


@pytest.mark.slow
def test_the_ports_of_bearpaw_and_anibali_have_a_wider_stem():
    """FACTS C.2: 3.59, 6.73 and 25.59 million, 5.80, 8.99 and 28.09 GMACs."""
    ports = [row for row in model_sizes() if row["model"].endswith("bearpaw and anibali")]
    assert [row["parameters"] for row in ports] == [3_586_960, 6_730_912, 25_594_624]
    assert [row["gmacs"] for row in ports] == pytest.approx([5.80, 8.99, 28.09], abs=0.005)


@pytest.mark.slow
def test_model_sizes_is_table_iii_of_r():
    rows = model_sizes()
    assert json.loads(json.dumps(rows)) == rows
    assert {
        "model",
        "parameters",
        "conv_weights",
        "paper_rule",
        "printed",
        "gmacs",
        "input",
    } <= set.intersection(*map(set, rows))
    assert [row["printed"] for row in rows if row["printed"]] == [23.7e6, 342042, 100670, 48528]
    assert len({row["model"] for row in rows}) == len(rows) == 12
    june = rows[0]
    assert (june["parameters"], june["conv_weights"], june["paper_rule"]) == (
        23_717_888,
        23_545_024,
        172_096,
    )
    assert june["gmacs"] == pytest.approx(20.5, rel=0.005)
    assert "49*64" in next(row["note"] for row in rows if row["printed"] == 100670)


def test_counting_leaves_the_model_as_it_was():
    model = Recurrent(width=4, init="torch")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gmacs(model, 32), receptive_field(model, 32)
    assert model.training
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


# How far each site sees


def test_receptive_fields_of_the_recurrent_sites():
    assert receptive_field(Recurrent(width=2), side=480) == [96, 216, 336, 456]


def test_each_hourglass_sees_the_whole_image():
    assert receptive_field(StackedHourglass(1, features=8, depth=4), side=128) == [128]


# The sites


@pytest.mark.parametrize(
    "iterations, parts, side", [(0, 0, 64), (1, 15, 100), (2, 15, 48), (3, 0, 48)]
)
def test_recurrent_sites(iterations, parts, side):
    model = Recurrent(parts=parts, iterations=iterations, width=4)
    assert shapes(model(torch.rand(2, 3, side, side))) == [
        (2, 16 + parts, side // 4, side // 4)
    ] * (iterations + 2)


def test_relu_heads_are_optional():
    images = torch.rand(1, 3, 32, 32)
    linear, relu = (Recurrent(width=4, relu_heads=on, init="torch").eval() for on in (False, True))
    relu.load_state_dict(linear.state_dict())
    for before, after in zip(linear(images), relu(images), strict=True):
        assert (before < 0).any()
        torch.testing.assert_close(after, F.relu(before))


@pytest.mark.parametrize(
    "options, sides",
    [
        ({"stacks": 3}, [24, 24, 24]),
        ({"stacks": 2, "supervision": "last"}, [24]),
        ({"stacks": 1, "modules": 2, "supervision": "last"}, [24]),
        ({"stacks": 1, "supervision": "upsampling"}, [6, 12, 24]),
    ],
)
def test_hourglass_sites(options, sides):
    model = StackedHourglass(**options, features=32, depth=3, joints=11)
    assert shapes(model(torch.rand(2, 3, 96, 96))) == [(2, 11, side, side) for side in sides]


def test_hourglass_with_upsampled_losses_at_full_size():
    sites = on_meta(StackedHourglass, 1, 8, supervision="upsampling")(
        torch.empty(1, 3, 256, 256, device="meta")
    )
    assert shapes(sites) == [(1, 16, side, side) for side in (16, 32, 64)]


def test_pose_machine_sites():
    model = PoseMachine(stages=3).eval()
    images = torch.rand(1, 3, 64, 48)
    sites = model(images)
    assert shapes(sites) == [(1, 15, 8, 6)] * 3
    torch.testing.assert_close(model(images, middle(images)), sites)
    moved = model(images, torch.zeros(1, 1, 64, 48))
    # the first stage does not see the centre
    assert torch.equal(moved[0], sites[0]) and not torch.equal(moved[1], sites[1])


def test_each_stage_of_the_pose_machine_refines_the_one_before():
    model = PoseMachine(stages=3).eval()
    assert changed(
        model, torch.rand(1, 3, 64, 64), lambda m: m.refinements[0].refine[-1].bias.add_(1)
    ) == [False, True, True]


@pytest.mark.slow
def test_a_smaller_pose_machine_sees_as_much_of_its_crop():
    """Kernels at which each stage's receptive field, in parts of a crop of 128 px, is within 15 %
    of the paper's, in parts of 368."""
    paper = receptive_field(PoseMachine(width=4, stages=3), 1024)
    assert paper == [167, 407, 647]
    for kernels, stride in (((5, 3, 5, 7), 4), ((3, 3, 3, 5), 8)):
        model = PoseMachine(width=4, stages=3, kernels=kernels, stride=stride)
        seen = [site / 128 * 368 for site in receptive_field(model, 512)]
        assert seen == pytest.approx(paper, rel=0.15)
        assert (
            shapes(model(torch.rand(1, 3, 128, 128))) == [(1, 15, 128 // stride, 128 // stride)] * 3
        )


def test_width_scales_every_layer_of_the_compared_models():
    for build in (PoseMachine, ErrorFeedback):
        own = on_meta(build).state_dict()
        half = on_meta(build, width=64 if build is PoseMachine else 32).state_dict()
        outer = {1, 2, 3, 15, 20, 28, 32, 48}  # image, maps and what is joined to them stay
        for name, value in own.items():
            if name.endswith("weight"):
                for wide, narrow in zip(value.shape[:2], half[name].shape[:2], strict=True):
                    assert narrow == wide // 2 or wide in outer, name


def test_a_norm_follows_every_convolution_of_the_compared_models_but_the_last():
    machine, feedback = PoseMachine(stages=3, width=8, norm=True), ErrorFeedback(width=8, norm=True)
    for model, bare in ((machine, 3), (feedback, 0)):  # each stage's last; IEF's last is linear
        convs = sum(isinstance(module, torch.nn.Conv2d) for module in model.modules())
        norms = sum(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())
        assert norms == convs - bare > 0
        assert not any(isinstance(module, torch.nn.LocalResponseNorm) for module in model.modules())


def test_error_feedback_moves_by_at_most_its_largest_step():
    torch.manual_seed(0)
    model = ErrorFeedback().eval().requires_grad_(False)
    torch.nn.init.normal_(model.network[-1].bias, std=3.0)  # moves both below and above the bound
    start = torch.rand(16, 2) - 0.5
    model.start.copy_(start)
    poses = model(torch.randn(2, 3, 64, 64) / 5)
    assert shapes(poses) == [(2, 16, 2)] * 5 and (poses[0] == start).all()
    moves = torch.stack([after - before for before, after in pairwise(poses)]).norm(dim=-1)
    assert moves.max().item() == pytest.approx(20 / 224, abs=1e-5)
    assert moves.min() < 19 / 224


def test_error_feedback_begins_at_the_middle_until_training_says_otherwise():
    model = ErrorFeedback(width=4, steps=1)
    assert (model(torch.zeros(1, 3, 64, 64))[0] == 0).all() and "start" in model.state_dict()


def test_the_drawn_pose_peaks_at_its_points():
    x, y = torch.tensor([3.0, 10.0]), torch.tensor([7.0, 0.0])
    points = torch.stack([x - 5.5, y - 4], dim=-1)[None] / 12  # from the middle, in widths
    maps = draw(points, height=9, width=12)
    assert maps.shape == (1, 2, 9, 12)
    assert maps.flatten(2).argmax(dim=2).tolist() == [[7 * 12 + 3, 10]]
    assert maps.amax(dim=(2, 3)).tolist() == [[50.0, 50.0]]
    paper = draw(torch.zeros(1, 1, 2), 225, 225)[0, 0, 112]  # the middle row of 225 px
    assert paper[112 + 30].item() == pytest.approx(100 * torch.exp(torch.tensor(-0.9)) - 50, abs=1)


# What the recurrent passes share


@pytest.mark.parametrize(
    "mutate, expected",
    [
        # shared filters: every pass
        (lambda m: m.fusion.layer6[2].weight.mul_(2), [False, True, True, True]),
        # batch norm of the second pass: it and what follows
        (lambda m: m.fusion.norms[1][0].weight.mul_(2), [False, False, True, True]),
        (lambda m: m.fusion.norms[2][2].bias.add_(1), [False, False, False, True]),
        # the feed-forward head is its own, and nothing is fed back from it
        (lambda m: m.layer8a.weight.mul_(2), [True, False, False, False]),
        (lambda m: m.layer8.weight.mul_(2), [False, True, True, True]),
    ],
)
def test_filters_are_shared_and_batch_norm_is_per_pass(mutate, expected):
    torch.manual_seed(0)
    model = SMALL["recurrent"]().eval()
    assert changed(model, torch.rand(1, 3, 32, 32), mutate) == expected


def test_the_shared_filter_takes_a_gradient_from_every_pass():
    torch.manual_seed(0)
    model = SMALL["recurrent"]()
    sites = model(torch.rand(2, 3, 32, 32))
    filters = model.fusion.layer6[0].weight
    alone = [torch.autograd.grad(sites[i].sum(), filters, retain_graph=True)[0] for i in (1, 2, 3)]
    together = torch.autograd.grad(sum(site.sum() for site in sites), filters)[0]
    assert all(gradient.abs().max() > 0 for gradient in alone)
    torch.testing.assert_close(together, sum(alone), rtol=1e-3, atol=1e-4)


def test_each_pass_keeps_its_own_moments():
    torch.manual_seed(0)
    model = SMALL["recurrent"]()
    model(torch.rand(2, 3, 32, 32))
    means = [norms[0].running_mean for norms in model.fusion.norms]
    assert all((mean != 0).any() for mean in means)
    assert not torch.allclose(means[0], means[1]) and not torch.allclose(means[1], means[2])


def test_paper_initialisation():
    torch.manual_seed(0)
    model = Recurrent(width=32)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 4:
            assert parameter.std().item() == pytest.approx(0.01, rel=0.1), name
        else:
            # batch norm's gain 1; every bias 0
            assert (parameter == (1.0 if name.endswith("weight") else 0.0)).all(), name


# Re-injection


def test_intermediate_heatmaps_are_handed_on_only_where_supervised():
    every, last = SMALL["hourglass"](), SMALL["hourglass-last"]()
    torch.manual_seed(0)
    images = torch.rand(1, 3, 96, 96)
    assert changed(every.eval(), images, lambda m: m.junctions[0].heatmaps.bias.add_(1)) == [
        True,
        True,
    ]
    reinjection = 32 * 16 + 16 + 16 * 32 + 32  # the two convolutions in which the variants differ
    assert parameters(every) - parameters(last) == reinjection


# They train, in both precisions, and can be stored


@pytest.mark.parametrize("name", [*SMALL, *COMPARED])
def test_every_parameter_gets_a_gradient(name):
    torch.manual_seed(0)
    model = (SMALL | COMPARED)[name]()
    side = 96 if "hourglass" in name else 64
    sum(site.square().mean() for site in model(torch.rand(2, 3, side, side))).backward()
    assert [
        key
        for key, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    ] == []


@pytest.mark.parametrize("name", [*SMALL, *COMPARED])
def test_runs_in_bfloat16_and_channels_last(name):
    torch.manual_seed(0)
    model = (SMALL | COMPARED)[name]().eval().to(memory_format=torch.channels_last)
    images = torch.rand(2, 3, 96, 96).to(memory_format=torch.channels_last)
    with torch.no_grad():
        full = model(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model(images)
    for a, b in zip(full, half, strict=True):
        assert a.shape == b.shape
        assert (a - b.float()).abs().mean() <= 0.05 * a.abs().mean()  # the first guess is 0


@pytest.mark.parametrize("name", SMALL)
def test_state_dict_round_trip(name, tmp_path):
    model, other = SMALL[name](), SMALL[name]()
    images = torch.rand(2, 3, 96, 96)
    model(images)  # moves batch norm's moments
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt"))
    assert all(
        torch.equal(a, b) for a, b in zip(model.eval()(images), other.eval()(images), strict=True)
    )


# What a person can mend


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: Recurrent(width=4)(torch.rand(1, 3, 50, 48)), "50 x 48 px.*multiples of 4"),
        (lambda: Recurrent(kernels=(9, 9, 7, 13, 12)), "12"),
        (lambda: Recurrent(kernels=(9, 9, 7)), "five"),
        (lambda: Recurrent(iterations=-1), "iterations=-1"),
        (lambda: Recurrent(init="xavier"), "xavier"),
        (
            lambda: StackedHourglass(1, features=32, depth=3)(torch.rand(1, 3, 80, 96)),
            "80 x 96 px.*multiples of 32",
        ),
        (lambda: StackedHourglass(head="demo"), "demo"),
        (lambda: StackedHourglass(supervision="none"), "none"),
        (lambda: StackedHourglass(2, supervision="upsampling"), "one hourglass"),
        (lambda: StackedHourglass(0), "stacks=0"),
        (lambda: StackedHourglass(features=30), "features=30"),
        (lambda: PoseMachine(stages=1)(torch.rand(1, 3, 100, 96)), "100 x 96 px.*multiples of 8"),
        (lambda: PoseMachine(width=6), "width=6.*multiple of 4"),
        (lambda: PoseMachine(kernels=(9, 5, 9, 10)), "9, 10.*four odd sizes"),
        (lambda: PoseMachine(kernels=(9, 5, 9)), "four odd sizes"),
        (lambda: PoseMachine(stride=5), "stride=5.*2, 4, 8"),
        (lambda: ErrorFeedback(steps=0), "steps=0"),
        (lambda: ErrorFeedback(width=2), "width=2"),
    ],
)
def test_bad_input_gives_one_clear_error(make, says):
    with pytest.raises(PaperlibError, match=says):
        make()
