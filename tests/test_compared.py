"""CPM and IEF: their targets, their losses by hand, that each learns in the loop that trains the
two papers' networks, and that both are predicted as these are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from companion.runs.catalogue import catalogue
from companion.runs.sizes import SIZES
from paperlib import PaperlibError
from paperlib.compared import ErrorFeedbackCodec, PoseMachineCodec, error_feedback_loss
from paperlib.geometry import crop_affine, transform
from paperlib.metrics import normalised_errors, pck, point_accuracy
from paperlib.models import ErrorFeedback, PoseMachine
from paperlib.models.error_feedback import draw
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.predict import decode, heatmaps, predict, predict_batch
from paperlib.recipe import Recipe
from paperlib.skeleton import LSP, MPII
from paperlib.train import Session, train

CPM, IEF = PoseMachineCodec(), ErrorFeedbackCodec()
RUNS = ("pose-machine", "pose-machine-lsp", "error-feedback", "error-feedback-lsp")
STEP = 20 / 224  # IEF's largest


def everyone(codec, at=(100.0, 200.0)):
    j = len(codec.skeleton)
    return torch.tensor(at).expand(1, j, 2).clone(), torch.full((1, j), VISIBLE, dtype=torch.uint8)


# ---------------------------------------------------------------- targets


def test_a_pose_machine_learns_gaussians_and_the_background():
    joints, state = everyone(CPM)
    joints[0, 1] = torch.tensor([20.0, 300.0])
    state[0, 2], state[0, 3] = ABSENT, OCCLUDED
    targets = CPM.encode(joints, state)
    assert targets.maps.shape == (1, 15, 46, 46) and (targets.weights == 1).all()
    # crop px 200 and 100 lie in these cells of 8 px, whose middles are 203.5 and 99.5
    row, column = (25, 12)
    assert targets.maps[0, 0].argmax() == row * 46 + column
    # sigma 7 px of the crop, about the joint itself
    for right, squared in ((0, 3.5**2 + 0.5**2), (2, 3.5**2 + 15.5**2)):
        assert targets.maps[0, 0, row, column + right].item() == pytest.approx(
            np.exp(-squared / (2 * 7**2))
        )
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
    """The released code draws about the whole pixel round(x + 1): here (11, 21), which nothing is
    drawn about."""
    point = (torch.tensor([[[10.4, 20.0]]]) - 223 / 2) / 224  # px of 224, from the middle in widths
    (drawn,) = draw(point, 224, 224)[0]
    assert drawn.argmax() == 20 * 224 + 10
    assert drawn[20, 10].item() == pytest.approx(100 * np.exp(-0.001 * 0.4**2) - 50, abs=1e-3)
    assert drawn[21, 11] < drawn[20, 10]


def test_the_background_of_a_short_schedule_is_balanced_like_a_joint():
    codec = replace(CPM, peak=12.0, balanced=True, absent="ignore")
    joints, state = everyone(codec)
    state[0, 2] = ABSENT
    targets = codec.encode(joints, state)
    background, weights = targets.maps[0, 14], targets.weights[0, 14]
    torch.testing.assert_close(background, 1 - targets.maps[0, 0] / 12)
    person = background < 1
    share = person.float().mean().item()
    assert weights[person].unique().item() == pytest.approx(1 - share)
    assert weights[~person].unique().item() == pytest.approx(share)
    assert (targets.weights[0, 2] == 0).all()
    with pytest.raises(ValueError, match="absent='ignore'"):
        replace(codec, absent="zero").encode(joints, state)


def test_a_pose_machines_points_come_back_from_its_maps_and_mirror():
    rng = np.random.default_rng(0)
    joints = torch.from_numpy(rng.uniform(20, 340, (5, 14, 2))).float()
    targets = CPM.encode(joints, torch.full((5, 14), VISIBLE, dtype=torch.uint8))
    points, score = CPM.decode(targets.maps)
    assert (points - joints).abs().max() <= 4 + 1e-3
    assert (score > np.exp(-2 * 4**2 / (2 * 7**2)) - 1e-3).all()
    assert CPM.mirror.tolist() == [*LSP.mirror, 14] and CPM.channels == 15


def test_error_feedback_has_points_in_sides_from_the_middle():
    joints, state = everyone(IEF, at=(111.5, 0.0))  # the middle of 224 px is 111.5
    state[0, 3] = ABSENT
    joints[0, 3] = np.nan
    targets = IEF.encode(joints, state)
    torch.testing.assert_close(targets.maps[0, 0], torch.tensor([0.0, -111.5 / 224]))
    assert (targets.maps[0, 3] == 0).all()
    assert targets.weights[0, :, 0].tolist() == [1.0] * 3 + [0.0] + [1.0] * 12
    points, confidence = IEF.decode(targets.maps)
    torch.testing.assert_close(points[0, 0], joints[0, 0])
    assert confidence.shape == (1, 16) and confidence.isnan().all()


def test_the_crop_is_the_released_codes(tiny):
    people = tiny.test_people("mpii")
    assert not people.framed.any()
    for codec, side in ((CPM, 368 / 1.171), (IEF, 300)):
        expected = np.column_stack([people.centre, side * people.scale])
        np.testing.assert_allclose(codec.boxes(people), expected)


def test_the_mean_pose_is_of_the_people_and_of_their_mirror_images(tiny):
    people = tiny.test_people("mpii").select(slice(0, 4))
    joints = people.joints.copy()
    joints[:, 0] = np.nan
    joints[:, 5] = np.nan  # its mirror image: nobody has this joint
    people = replace(people, joints=joints)
    mean = IEF.mean_pose(people).numpy()
    assert (mean[[0, 5]] == 0).all()
    crop = transform(joints, crop_affine(IEF.boxes(people), 224))
    here = (crop - 111.5) / 224
    there = here[:, MPII.mirror] * [-1, 1]
    expected = (np.nanmean(here[:, 8], axis=0) + np.nanmean(there[:, 8], axis=0)) / 2
    np.testing.assert_allclose(mean[8], expected, atol=1e-6)
    np.testing.assert_allclose(mean, mean[MPII.mirror] * [-1, 1], atol=1e-7)


# ---------------------------------------------------------------- the loss of error feedback


def test_error_feedback_is_judged_by_the_correction_that_was_due():
    start = torch.zeros(1, 16, 2)
    step = torch.tensor([STEP, 0.0])
    truth, state = everyone(IEF, at=(111.5 + 30, 111.5))  # 30 px: one and a half largest steps
    truth[0, 5], state[0, 5] = np.nan, ABSENT

    def loss(*poses):
        return error_feedback_loss(list(poses), lambda side: IEF.encode(truth, state, side))

    assert loss(start, start + step, start + 1.5 * step).item() == pytest.approx(0, abs=1e-9)
    assert loss(start, start).item() == pytest.approx(1)  # not 1.5^2: a step is bounded
    assert loss(start, start + step, start + step).item() == pytest.approx(0.5**2)
    late = (start + torch.tensor([0.0, 0.01])).requires_grad_()
    loss(start, late).backward()
    assert (late.grad[0, 5] == 0).all() and (late.grad[0, 4] != 0).all()


def test_an_earlier_step_has_no_gradient_from_a_later_one():
    truth, state = everyone(IEF, at=(111.5 + 10, 111.5))
    move = torch.zeros(1, 16, 2, requires_grad=True)
    first = torch.zeros(1, 16, 2) + move
    second = first + torch.tensor([0.01, 0.0])
    poses = [torch.zeros(1, 16, 2), first, second]
    error_feedback_loss(poses, lambda side: IEF.encode(truth, state, side)).backward()
    alone = torch.tensor([-2 * (10 / 224) / STEP**2, 0.0]).expand(1, 16, 2) / 16
    torch.testing.assert_close(move.grad, alone)  # of the first step alone


# ---------------------------------------------------------------- prediction


class Says(nn.Module):
    """A network that says the same points of every image, wherever it is."""

    def __init__(self, *sites):
        super().__init__()
        self.sites = [torch.as_tensor(site, dtype=torch.float32) for site in sites]
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        return [site.expand(len(images), -1, -1) for site in self.sites]


def test_points_are_averaged_with_those_of_the_mirrored_image(tiny):
    crops = tiny.crops(tiny.test_people("mpii"), replace(IEF, side=64))
    site = np.random.default_rng(0).uniform(-0.5, 0.5, (16, 2))
    images = crops.batch(np.arange(3)).images
    (plain,) = heatmaps(Says(site), crops.codec, images, flip=False)
    (both,) = heatmaps(Says(site), crops.codec, images)
    np.testing.assert_allclose(plain, np.broadcast_to(site, (3, 16, 2)), atol=1e-6)
    there = site[MPII.mirror] * [-1, 1]
    np.testing.assert_allclose(both[1], (site + there) / 2, atol=1e-6)


def test_points_of_a_zoomed_crop_are_brought_back(tiny):
    crops = tiny.crops(tiny.test_people("mpii"), replace(IEF, side=64))
    site = np.full((16, 2), 0.2)
    (found,), _ = predict_batch(Says(site), crops, np.arange(2), flip=False, scales=(1.0, 2.0))
    np.testing.assert_allclose(found[0], (site + site / 2) / 2, atol=1e-6)


def test_points_are_predicted_in_the_image(tiny):
    """The truth of each person, said in crop sides, comes back in image px at every site."""
    codec = replace(IEF, side=64)
    people = tiny.test_people("mpii").select(slice(0, 1))
    crops = tiny.crops(people, codec)
    boxes = codec.boxes(people)
    truth = (people.joints[0] - boxes[0, :2]) / boxes[0, 2]
    here = np.nan_to_num(truth)
    found = predict(Says(np.zeros((16, 2)), here), crops, flip=False, progress=False)
    known = people.state[0] != ABSENT
    assert found.points.shape == (2, 1, 16, 2)
    np.testing.assert_allclose(found.points[1, 0, known], people.joints[0, known], atol=1e-3)
    np.testing.assert_allclose(found.points[0, 0], boxes[[0] * 16, :2], atol=1e-3)
    assert np.isnan(found.peak).all() and np.isnan(found.mean).all()


def test_points_are_as_accurate_as_heatmaps_say():
    """A joint is right within half a tenth of the side; one that is not known is left out."""
    target, known = torch.zeros(2, 3, 2), torch.ones(2, 3, dtype=torch.bool)
    predicted = target.clone()
    predicted[0, 0, 0], predicted[0, 1, 0], predicted[:, 2] = 0.049, 0.051, 9.0
    known[1, 2] = False
    assert point_accuracy(predicted, target, known) == pytest.approx((100 + 50 + 0) / 3)
    assert point_accuracy(predicted, target, known, [0, 1]) == pytest.approx(75)
    assert np.isnan(point_accuracy(predicted, target, ~known, [0]))


# ---------------------------------------------------------------- in the catalogue


@pytest.mark.parametrize("name", RUNS)
def test_a_run_trains_is_watched_and_predicts(tiny, name):
    run = tiny.runs[name]
    trained = tiny.trained(name)
    log = trained.log
    assert np.isfinite(log.loss).all() and {"accuracy", "pck"} <= set(log.columns)
    assert trained.record["seed"] == 0 and run.artifacts == ()
    found = tiny.predict(name)
    sites = dict(run.network.options)["stages" if "machine" in name else "steps"]
    sites += "machine" not in name  # error feedback has its first guess too
    n = len(tiny.test_people(run.test_on))
    assert found.points.shape == (sites, n, 16, 2) and np.isfinite(found.points).all()
    again = tiny.predict(name)  # from its file
    np.testing.assert_array_equal(again.points, found.points)
    np.testing.assert_array_equal(again.peak, found.peak)
    plain = tiny.predict(name, offset=False)
    assert np.isfinite(plain.points).all()
    assert (plain.points == found.points).all() == ("feedback" in name)  # points have no arg-max


def test_error_feedback_begins_at_the_mean_pose_of_whom_it_trains_on(tiny):
    run = tiny.runs["error-feedback"]
    start = tiny.trained(run.name).model.start
    torch.testing.assert_close(start, run.codec.mean_pose(tiny.training_people(run)))
    assert start.abs().max() > 0.1


@pytest.mark.parametrize("data", ["synthetic", "real"])
def test_they_have_runs_at_two_sizes_under_the_conditions_of_the_main_runs(data):
    for size in SIZES:
        found = catalogue(size, data)
        assert ({*RUNS} & {*found}) == ({*RUNS} if size in ("tiny", "night") else set())
        for name in {*RUNS} & {*found}:
            run, main = (
                found[name],
                found["hourglass-lsp" if name.endswith("-lsp") else "hourglass"],
            )
            assert replace(run.recipe, rate=main.recipe.rate) == main.recipe
            assert run.codec.side == main.codec.side
            assert (run.train_on, run.test_on) == (main.train_on, main.test_on)
            assert run.artifacts == () and f"{name}-seed1" not in found


@pytest.mark.parametrize(("name", "wider"), [("pose-machine", 16), ("error-feedback", 8)])
def test_it_learns_eight_people_by_heart(tiny, tmp_path, name, wider):
    """Judged by a head's length: half of it is less than a heatmap's cell at this size."""
    run = tiny.runs[name]
    crops = tiny.crops(tiny.training_people(run).select(slice(0, 8)), run.codec)
    torch.manual_seed(0)
    options = dict(run.network.options) | {"width": wider}
    model = replace(run.network, options=tuple(options.items())).build()
    recipe = Recipe(100, 8, 6e-3, augmentation="none", log_every=10)
    log = train(model, crops, recipe, 0, tmp_path, Session(progress=False, precision="fp32"))
    losses = [row["loss"] for row in log]
    assert losses[-1] < 0.25 * losses[0], losses
    found = predict(model, crops, flip=False, precision="fp32", progress=False).points[-1]
    score = pck(normalised_errors(found, crops.people.joints, crops.people.head_size), 1.0)
    assert score > 90, score


def test_a_photograph_needs_a_confidence(tiny, tmp_path, monkeypatch):
    from PIL import Image

    from companion.app.photos import predict_photos

    folder = tiny.trained("error-feedback").folder
    Image.new("RGB", (40, 60)).save(tmp_path / "a.png")
    with pytest.raises(PaperlibError, match="error-feedback: this network says points without"):
        predict_photos([tmp_path / "a.png"], str(folder / "weights.safetensors"))


def test_labels_of_ones_own_need_a_confidence():
    from types import SimpleNamespace

    from companion.runs.own import own_run

    own = SimpleNamespace(people=SimpleNamespace(skeleton=LSP), path=SimpleNamespace(stem="mine"))
    assert own_run("pose-machine", own, "tiny").codec.channels == 15
    with pytest.raises(PaperlibError, match="'error-feedback': not to be trained .* draw heatmaps"):
        own_run("error-feedback", own, "tiny")


def test_skeletons_are_the_models_own():
    assert len(IEF.skeleton) == ErrorFeedback().joints
    assert PoseMachine(stages=1).first[-1].out_channels == CPM.channels
    maps = torch.zeros(2, 15, 4, 4)
    assert decode(replace(CPM, side=32), maps, torch.eye(3).double().expand(2, 3, 3))[0].shape == (
        2,
        14,
        2,
    )
