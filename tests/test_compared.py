"""The compared systems: their targets, their losses by hand, and that each learns in the loop that trains the two papers' networks."""

import numpy as np
import pytest
import torch

from paperlib.compared import ErrorFeedbackCodec, PoseMachineCodec, error_feedback_loss
from paperlib.models import ErrorFeedback, PoseMachine
from paperlib.models.error_feedback import draw
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import LSP, MPII
from paperlib.train import Recipe, Session, train

CPM, IEF = PoseMachineCodec(), ErrorFeedbackCodec()


def everyone(codec, at=(100.0, 200.0)):
    j = len(codec.skeleton)
    return torch.tensor(at).expand(1, j, 2).clone(), torch.full((1, j), VISIBLE, dtype=torch.uint8)


def test_a_pose_machine_learns_gaussians_and_the_background():
    joints, state = everyone(CPM)
    joints[0, 1] = torch.tensor([20.0, 300.0])
    state[0, 2], state[0, 3] = ABSENT, OCCLUDED
    targets = CPM.encode(joints, state)
    assert targets.maps.shape == (1, 15, 46, 46) and (targets.weights == 1).all()
    row, column = 25, 12  # crop px 200 and 100 lie in these cells of 8 px, whose middles are 203.5 and 99.5
    assert targets.maps[0, 0].argmax() == row * 46 + column
    for right, squared in ((0, 3.5**2 + 0.5**2), (2, 3.5**2 + 15.5**2)):  # sigma 7 px of the crop, about the joint itself
        assert targets.maps[0, 0, row, column + right].item() == pytest.approx(np.exp(-squared / (2 * 7**2)))
    assert targets.maps[0, 0, row, column + 3] == 0  # 23.5 px off: less than 1 %
    assert (targets.maps[0, 2] == 0).all() and targets.maps[0, 3].max() > 0.8
    torch.testing.assert_close(targets.maps[0, 14], 1 - targets.maps[0, :14].amax(dim=0))


def test_a_pose_machine_sees_the_gaussian_of_a_joint_just_outside_its_crop_and_nobody_elses():
    joints, state = everyone(CPM)
    joints[0, 0], joints[0, 1] = torch.tensor([-4.5, 203.5]), torch.tensor([-40.0, 203.5])
    targets = CPM.encode(joints, state, others=torch.full((1, 1, 14, 2), 300.0))
    assert targets.maps[0, 0, 25, 0].item() == pytest.approx(np.exp(-(8**2) / (2 * 7**2)))
    assert (targets.maps[0, 1] == 0).all() and targets.maps[0, :14, 37, 37].max() == 0


def test_error_feedback_draws_about_the_point_itself():
    """The released code draws about the whole pixel round(x + 1): here (11, 21), which nothing is drawn about."""
    (drawn,) = draw(torch.tensor([[[10.4, 20.0]]]), 32, 32)[0]
    assert drawn.argmax() == 20 * 32 + 10
    assert drawn[20, 10].item() == pytest.approx(100 * np.exp(-0.001 * 0.4**2) - 50)
    assert drawn[21, 11] < drawn[20, 10]


def test_a_pose_machines_points_come_back_from_its_maps_and_mirror():
    rng = np.random.default_rng(0)
    joints = torch.from_numpy(rng.uniform(20, 340, (5, 14, 2))).float()
    points, score = CPM.decode(CPM.encode(joints, torch.full((5, 14), VISIBLE, dtype=torch.uint8)).maps)
    assert (points - joints).abs().max() <= 4 + 1e-3 and (score > np.exp(-2 * 4**2 / (2 * 7**2)) - 1e-3).all()
    assert CPM.mirror.tolist() == [*LSP.mirror, 14] and CPM.channels == 15


def test_the_crop_is_the_released_codes(tiny):
    people = tiny.test_people("mpii")
    assert not people.framed.any()
    np.testing.assert_allclose(CPM.boxes(people), np.column_stack([people.centre, 368 / 1.171 * people.scale]))
    np.testing.assert_allclose(IEF.boxes(people), np.column_stack([people.centre, 300 * people.scale]))


def test_error_feedback_is_judged_by_the_correction_that_was_due():
    truth, state = everyone(IEF, at=(130.0, 100.0))
    truth[0, 5], state[0, 5] = np.nan, ABSENT
    start = torch.full((1, 16, 2), 100.0)
    step = torch.tensor([20.0, 0.0])
    targets = lambda side: IEF.encode(truth, state, side)  # noqa: E731
    assert error_feedback_loss([start, start + step, start + 1.5 * step], targets) == 0  # 20 px, then the last 10
    assert error_feedback_loss([start, start], targets).item() == pytest.approx(20**2)  # not 30: a step is bounded
    assert error_feedback_loss([start, start + step, start + step], targets).item() == pytest.approx(10**2)
    late = (start + torch.tensor([0.0, 3.0])).requires_grad_()
    error_feedback_loss([start, late], targets).backward()
    assert (late.grad[0, 5] == 0).all() and (late.grad[0, 4] != 0).all()


def test_an_earlier_step_has_no_gradient_from_a_later_one():
    truth, state = everyone(IEF, at=(110.0, 100.0))
    move = torch.zeros(1, 16, 2, requires_grad=True)
    first = torch.full((1, 16, 2), 100.0) + move
    second = first + torch.tensor([4.0, 0.0])
    error_feedback_loss([torch.full((1, 16, 2), 100.0), first, second], lambda side: IEF.encode(truth, state, side)).backward()
    torch.testing.assert_close(move.grad, torch.tensor([-20.0, 0.0]).expand(1, 16, 2) / 16)  # of the first step alone


@pytest.mark.parametrize(
    ("model", "codec", "data", "rate"),
    [
        (lambda: PoseMachine(stages=2), PoseMachineCodec(side=32), "lsp", 3e-4),
        (lambda: ErrorFeedback(steps=2), ErrorFeedbackCodec(side=64), "mpii", 3e-4),
    ],
    ids=["pose machine", "error feedback"],
)
def test_they_learn_in_the_same_loop(tiny, tmp_path, model, codec, data, rate):
    people = tiny.test_people(data)
    assert people.skeleton is codec.skeleton
    # in single precision: on maps of 4 x 4 cells the CPU's bf16 kernels of 11 x 11 filters once gave a weight that was not finite
    recipe = Recipe(steps=16, batch=6, rate=rate, augmentation="none", log_every=2)
    torch.manual_seed(0)
    log = train(model(), tiny.crops(people, codec), recipe, 0, tmp_path, Session(progress=False, precision="fp32", title="compared"))
    losses = [row["loss"] for row in log]
    assert np.isfinite(losses).all() and losses[-1] < 0.8 * losses[0], losses
    assert (tmp_path / "checkpoint.pt").exists()


def test_skeletons_are_the_models_own():
    assert len(MPII) == ErrorFeedback().joints and PoseMachine(stages=1).first[-1].out_channels == CPM.channels
