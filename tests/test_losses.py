"""The losses of the two papers, against values computed by hand."""

import numpy as np
import pytest
import torch

from paperlib.codecs import HourglassCodec, RecurrentCodec, Targets
from paperlib.losses import hourglass_loss, recurrent_loss
from paperlib.people import ABSENT, OCCLUDED, VISIBLE

MAPS = torch.tensor([[[[2.0, 0.0], [0.0, 0.0]]], [[[0.0, 4.0], [0.0, 0.0]]]])  # (2, 1, 2, 2)
WEIGHTS = torch.tensor([[[[0.75, 0.25], [0.25, 0.25]]], [[[1.0, 1.0], [0.0, 1.0]]]])
SITE = torch.tensor([[[[1.0, 2.0], [0.0, 0.0]]], [[[0.0, 1.0], [5.0, 1.0]]]])
SQUARES = 0.75 * 1 + 0.25 * 4 + 9 + 1  # weighted, over both people


def targets(side):
    assert side == 2
    return Targets(MAPS, WEIGHTS)


def test_by_hand():
    # summed over pixels and maps, over the batch
    assert recurrent_loss([SITE], targets).item() == pytest.approx(0.5 * SQUARES / 2)
    assert hourglass_loss([SITE], targets).item() == pytest.approx(SQUARES / 8)  # mean


@pytest.mark.parametrize("loss", [recurrent_loss, hourglass_loss])
def test_every_site_counts_once(loss):
    one, other = loss([SITE], targets), loss([MAPS + 1], targets)
    torch.testing.assert_close(loss([SITE, MAPS + 1, SITE], targets), 2 * one + other)
    assert loss([MAPS] * 4, targets) == 0


def test_the_gradient_is_weight_times_residual():
    """FACTS A.4: w .* (pred - target), over the batch."""
    site = SITE.clone().requires_grad_()
    recurrent_loss([site], targets).backward()
    torch.testing.assert_close(site.grad, WEIGHTS * (SITE - MAPS) / 2)


def test_a_repeated_batch_has_the_same_loss_but_more_maps_weigh_more_in_r_only():
    def twice(dim):
        return lambda side: Targets(
            torch.cat([MAPS, MAPS], dim), torch.cat([WEIGHTS, WEIGHTS], dim)
        )

    for loss, growth in ((recurrent_loss, 2), (hourglass_loss, 1)):
        torch.testing.assert_close(
            loss([torch.cat([SITE, SITE], 0)], twice(0)), loss([SITE], targets)
        )
        torch.testing.assert_close(
            loss([torch.cat([SITE, SITE], 1)], twice(1)), growth * loss([SITE], targets)
        )


@pytest.mark.parametrize("loss", [recurrent_loss, hourglass_loss])
def test_half_precision_sites_are_summed_in_single(loss):
    torch.testing.assert_close(loss([SITE.bfloat16()], targets), loss([SITE], targets))


@pytest.mark.parametrize("loss", [recurrent_loss, hourglass_loss])
def test_each_site_meets_targets_of_its_own_size_drawn_once(loss):
    asked = []

    def of(side):
        asked.append(side)
        return Targets(torch.ones(1, 1, side, side), torch.ones(1, 1, side, side))

    total = loss([torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 4, 4)], of)
    assert sorted(asked) == [2, 4]
    assert total.item() == pytest.approx(2.0 if loss is hourglass_loss else 0.5 * (16 + 4))


@pytest.mark.parametrize("policy", ["include", "ignore", "exclude"])
def test_no_gradient_where_nothing_is_known(policy):
    """Absent joints nowhere; ignored occluded joints not within their would-be Gaussian."""
    codec = RecurrentCodec(side=64, occluded=policy, parts=False, tail=1e-2)
    joints, state = torch.full((1, 16, 2), 31.0), torch.full((1, 16), VISIBLE, dtype=torch.uint8)
    state[0, 0], state[0, 1] = ABSENT, OCCLUDED
    site = torch.full((1, 16, 16, 16), 3.0, requires_grad=True)
    recurrent_loss([site], lambda side: codec.encode(joints, state, side)).backward()
    region = codec.encode(joints, torch.full_like(state, VISIBLE)).maps[0, 1] > 0
    assert (site.grad[0, 0] == 0).all() and (site.grad[0, 2] != 0).all()
    inside, outside = site.grad[0, 1][region], site.grad[0, 1][~region]
    assert (outside > 0).all()
    peak = site.grad[0, 1, 8, 8]
    assert {"include": peak < 0, "ignore": (inside == 0).all(), "exclude": (inside > 0).all()}[
        policy
    ]


def test_the_hourglass_pushes_an_absent_joint_to_zero():
    codec = HourglassCodec(side=64)
    site = torch.full((1, 16, 16, 16), 0.5, requires_grad=True)
    state = torch.full((1, 16), ABSENT, dtype=torch.uint8)
    hourglass_loss(
        [site], lambda side: codec.encode(torch.full((1, 16, 2), np.nan), state, side)
    ).backward()
    assert (site.grad > 0).all()
