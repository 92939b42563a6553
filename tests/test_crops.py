"""Crops: pixels and labels as a network sees them, cut out of the canvases, in an order that is a
function of the seed."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from paperlib.codecs import HourglassCodec, RecurrentCodec
from paperlib.data.canvases import (
    Canvases,
    canvas_boxes,
    cut_canvas,
    load_canvases,
    reduction,
    whole_pixels,
)
from paperlib.data.crops import Crops, TrainingOrder, cut_crops, resident
from paperlib.data.images import read_image
from paperlib.data.mpii import load_mpii
from paperlib.geometry import crop_affine, draw_augmentation, transform
from paperlib.predict import zoomed
from paperlib.skeleton import MPII

SIDE, CANVAS = 64, 96


@pytest.fixture(scope="module")
def people(tiny):
    return tiny.people("mpii", "train")


@pytest.fixture(scope="module")
def crops(people, tmp_path_factory):
    return Crops(
        people,
        load_canvases(people, CANVAS, tmp_path_factory.mktemp("canvases"), progress=False),
        RecurrentCodec(side=SIDE),
    )


def same(one, other):
    return all(
        torch.equal(torch.nan_to_num(getattr(one, f)), torch.nan_to_num(getattr(other, f)))
        for f in ("images", "joints", "state", "to_image", "others")
    )


def grey_levels(images):
    return (images * 256 + 128).permute(0, 2, 3, 1).numpy()


def supersampled(image, box, side, times=4):
    """The crop of `box` at `times` the resolution, averaged down: what a crop should look like."""
    affine = crop_affine(box[None], side * times)[0]
    large = cv2.warpAffine(
        image.astype(np.float32),
        affine[:2],
        (side * times,) * 2,
        flags=cv2.INTER_LINEAR,
        borderValue=(128, 128, 128),
    )
    return cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)


# ---------------------------------------------------------------- pixels


@pytest.mark.parametrize(
    "codec", [RecurrentCodec(side=SIDE), HourglassCodec(side=SIDE)], ids=["recurrent", "hourglass"]
)
def test_crops_are_what_a_direct_crop_of_the_image_gives(people, codec, tmp_path):
    """A smooth picture, so that what is compared is the geometry and not two filters."""
    rows = np.arange(6)
    images = [cv2.GaussianBlur(read_image(people.image[i]), (0, 0), 2.5) for i in rows]
    paths = np.array([str(tmp_path / f"{i}.png") for i in rows])
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(path, image[..., ::-1])
    few = people.select(rows)
    few = replace(few, image=paths)
    ours = Crops(few, load_canvases(few, 2 * SIDE, tmp_path / "canvases", progress=False), codec)
    direct = np.stack(
        [
            supersampled(image, box, SIDE)
            for image, box in zip(images, codec.boxes(few), strict=True)
        ]
    )
    difference = np.abs(grey_levels(ours.batch(rows).images) - direct)
    assert difference.mean(axis=(1, 2, 3)).max() < 2 and direct.std() > 20, difference.mean(
        axis=(1, 2, 3)
    )


def test_a_crop_through_the_cache_is_a_crop_of_the_photograph(real_data, tmp_path):
    """At full size, of real photographs with all their detail: within 2 grey levels on average, for
    each person."""
    people = load_mpii(real_data / "mpii-sports", "train").select(slice(0, None, 60))
    for codec in (RecurrentCodec(), HourglassCodec()):
        crops = Crops(people, load_canvases(people, 384, tmp_path, progress=False), codec)
        direct = np.stack(
            [
                supersampled(read_image(path), box, codec.side)
                for path, box in zip(people.image, codec.boxes(people), strict=True)
            ]
        )
        difference = np.abs(grey_levels(crops.batch(np.arange(len(people))).images) - direct).mean(
            axis=(1, 2, 3)
        )
        assert difference.max() < 2 and len(people) > 30, difference


def test_pixels_and_joints_of_an_augmented_crop_go_together(people, tmp_path):
    """A blob in the image at a joint has its centre of mass at the joint in the crop, whatever is
    done to the crop."""
    few = people.select(slice(0, 8))
    centre, size = few.centre, 200 * few.scale
    joints = np.full(few.joints.shape, np.nan)
    joints[:, 0] = centre + size[:, None] * np.array([0.07, -0.05])
    for i in range(8):
        ys, xs = np.mgrid[: int(3 * centre[i, 1] + size[i]), : int(3 * centre[i, 0] + size[i])]
        blob = np.exp(
            -0.5 * ((xs - joints[i, 0, 0]) ** 2 + (ys - joints[i, 0, 1]) ** 2) / (size[i] / 40) ** 2
        )
        cv2.imwrite(
            str(tmp_path / f"{i}.png"),
            np.repeat((128 + 120 * blob).round().astype(np.uint8)[..., None], 3, 2),
        )
    marked = replace(
        few, image=np.array([str(tmp_path / f"{i}.png") for i in range(8)]), joints=joints
    )
    for codec, law in ((RecurrentCodec(), "recurrent"), (HourglassCodec(), "hourglass")):
        crops = Crops(
            marked, load_canvases(marked, 384, tmp_path / "canvases", progress=False), codec
        )
        drawn = replace(
            draw_augmentation(law, 8, np.random.default_rng(2)),
            mirror=np.arange(8) % 2 == 0,
            gain=np.ones((8, 3)),
        )
        batch = crops.batch(np.arange(8), drawn)
        light = (grey_levels(batch.images)[..., 0] - 128).clip(1, None) - 1
        ys, xs = np.mgrid[: codec.side, : codec.side]
        found = np.stack([(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (xs, ys)], -1)
        at = batch.joints[np.arange(8), np.where(drawn.mirror, MPII.mirror[0], 0)].numpy()
        np.testing.assert_allclose(found, at, atol=0.1)


def test_points_are_exact_to_a_ten_thousandth_of_a_pixel(people, crops):
    """By the way of the pixels, over the canvas, as by the direct one."""
    law = draw_augmentation("recurrent", len(people), np.random.default_rng(5))
    batch = crops.batch(np.arange(len(people)), law)
    to_crop = crop_affine(crops.codec.boxes(people), SIDE)
    direct = law.holding(transform(people.joints, to_crop), SIDE).affine(SIDE) @ to_crop
    swapped = np.where(law.mirror[:, None, None], people.joints[:, MPII.mirror], people.joints)
    np.testing.assert_allclose(batch.joints.numpy(), transform(swapped, direct), atol=1e-4)
    to_canvas = crop_affine(canvas_boxes(people, CANVAS), CANVAS)
    source = to_canvas @ batch.to_image.numpy()  # crop px -> canvas px
    np.testing.assert_allclose(
        transform(transform(swapped, to_canvas), np.linalg.inv(source)),
        batch.joints.numpy(),
        atol=1e-4,
    )


def test_a_crop_is_moved_within_its_play_for_a_joint_that_it_would_leave_out(people, crops):
    to_crop = crop_affine(crops.codec.boxes(people), SIDE)
    just_out = transform(np.tile([[[-1.5, 20.0]]], (len(people), 1, 1)), np.linalg.inv(to_crop))
    joints = people.joints.copy()
    joints[:, :1] = just_out
    theirs = Crops(
        replace(people, joints=joints),
        Canvases(crops._pixels, crops._to_canvas, np.ones(len(people), bool), (), ""),
        crops.codec,
    )
    still, rows = zoomed(2, 1.0), np.array([3, 5])
    batch = theirs.batch(
        rows, replace(still, play=np.array([[[0, 2], [0, 0]], [[0, 1], [0, 0]]]) / SIDE)
    )
    # two px of play are enough, one is not
    np.testing.assert_allclose(batch.joints[:, 0].numpy(), [[0, 20], [-1.5, 20]], atol=1e-4)
    moved = theirs.batch(rows[:1], replace(still[:1], shift=np.array([[1.5 / SIDE, 0]])))
    assert same(
        moved, theirs.batch(rows[:1], replace(still[:1], play=np.array([[[0, 2], [0, 0]]]) / SIDE))
    )


@pytest.mark.parametrize("law", ["none", "recurrent", "hourglass"])
def test_both_ways_of_cutting_agree(law):
    """OpenCV's, person after person, and the warp of a whole batch, which a GPU does: they differ
    by one rounding to whole grey levels."""
    rng = np.random.default_rng(0)
    canvases = np.stack(
        [
            cv2.resize(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), (150, 150))
            for _ in range(6)
        ]
    )
    drawn = draw_augmentation(law, 6, rng)
    source = np.linalg.inv(
        drawn.affine(100) @ crop_affine(np.tile([[74.0, 76.5, 101.3]], (6, 1)), 100)
    )
    one = cut_crops(list(canvases), source, drawn.gain, 100)
    other = cut_crops(torch.from_numpy(canvases), source, drawn.gain, 100)
    difference = (
        256
        * (one - other).abs()
        / torch.from_numpy(drawn.gain).float().clamp(min=1)[..., None, None]
    )
    assert (
        one.shape == other.shape == (6, 3, 100, 100) and one.dtype == other.dtype == torch.float32
    )
    assert difference.mean() < 0.3 and difference.max() < 0.51 and 256 * one.std() > 30, (
        difference.mean(),
        difference.max(),
    )


@pytest.mark.parametrize(
    ("law", "codec", "outside"),
    [("hourglass", HourglassCodec(), 0.003), ("recurrent", RecurrentCodec(), 0.025)],
)
def test_few_pixels_of_augmented_crops_lie_outside_their_canvas(people, law, codec, outside):
    n = 2000
    same_person = people.select(np.zeros(n, int))
    to_crop = draw_augmentation(law, n, np.random.default_rng(0)).affine(codec.side) @ crop_affine(
        codec.boxes(same_person), codec.side
    )
    grid = np.stack(np.meshgrid(*[np.linspace(0, codec.side - 1, 40)] * 2), -1).reshape(1, -1, 2)
    pixels = transform(
        np.repeat(grid, n, 0),
        crop_affine(canvas_boxes(same_person, CANVAS), 2) @ np.linalg.inv(to_crop),
    )  # the canvas: -0.5 to 1.5
    assert (np.abs(pixels - 0.5) > 1).any(-1).mean() == pytest.approx(outside, rel=0.15)


def test_a_gpu_keeps_the_canvases_if_they_fill_at_most_half_of_its_memory(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (150, 4, 4, 3), dtype=np.uint8)
    for free, kept in ((2 * pixels.nbytes, True), (2 * pixels.nbytes - 1, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 10**12))
        there = resident(pixels, torch.device("cpu"))
        assert isinstance(there, torch.Tensor) == kept and np.array_equal(np.asarray(there), pixels)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_image_far_too_large_is_decoded_smaller_and_the_crop_is_that_of_the_whole(
    people, tmp_path, suffix
):
    """From hardly to 20 times too large: by the JPEG's decoder up to 8 times, by averaging else. A
    smooth picture: what is compared is geometry."""
    rng, scales = np.random.default_rng(0), np.array([0.3, 0.55, 1.1, 2.5, 5.0])
    octaves = [
        cv2.resize(rng.normal(0, 20, (max(2, 1403 >> k), max(2, 1511 >> k), 3)), (1511, 1403))
        for k in range(6, 11)
    ]
    image = np.clip(128 + sum(octaves), 0, 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / f"large.{suffix}"), image[..., ::-1])
    five = replace(
        people.select(np.zeros(5, int)),
        image=np.full(5, str(tmp_path / f"large.{suffix}")),
        scale=scales,
        centre=rng.uniform(600, 800, (5, 2)),
    )
    np.testing.assert_array_equal(
        reduction(canvas_boxes(five, CANVAS)[:, 2], CANVAS), [1, 2, 4, 8, 16]
    )
    canvases = load_canvases(five, CANVAS, tmp_path, progress=False)
    for codec in (RecurrentCodec(side=SIDE), HourglassCodec(side=SIDE)):
        crops = grey_levels(Crops(five, canvases, codec).batch(np.arange(5)).images)
        direct = np.stack([supersampled(image, box, SIDE, times=16) for box in codec.boxes(five)])
        difference = np.abs(crops - direct).mean(axis=(1, 2, 3))
        assert difference.max() < 1 and direct.std() > 20, difference


def test_a_square_of_whole_pixels_is_the_square_to_a_pixel():
    rng = np.random.default_rng(0)
    boxes = np.column_stack([rng.uniform(-900, 2000, (500, 2)), 2 ** rng.uniform(0, 13, 500)])
    whole, times = whole_pixels(boxes, 96), reduction(boxes[:, 2], 96)[:, None]
    np.testing.assert_array_equal(reduction(whole[:, 2], 96), times[:, 0])
    edges = (
        whole[:, :2] + 0.5 + whole[:, 2:] * [[[-0.5]], [[0.5]]]
    ) / times  # (2, N, 2): left and top, right and below
    np.testing.assert_allclose(edges, np.rint(edges), atol=1e-9)
    lost = (boxes[:, 2:] - whole[:, 2:]) / times
    assert (
        -1e-9 < lost[boxes[:, 2] > 1].min()
        and lost.max() < 1
        and np.abs((whole - boxes)[:, :2] / times).max() <= 0.5 + 1e-9
    )
    np.testing.assert_array_equal(whole_pixels(whole, 96), whole)


def test_a_large_image_is_averaged_down_not_sampled():
    """A checkerboard of single pixels is grey in a canvas of a twentieth of its size, whose pixels'
    centres lie on its pixels."""
    image = np.zeros((800, 800, 3), np.uint8)
    image[::2, ::2] = image[1::2, 1::2] = 255
    cut = cut_canvas(image, whole_pixels(np.array([[400.0, 400.0, 800.0]]), 40)[0], 40)
    assert np.abs(cut.astype(int) - 127.5).max() <= 2


@pytest.mark.parametrize("size", [800, 801, 997])
def test_averaging_down_moves_nothing(size):
    """A disc's centre of mass stays, to a hundredth of a canvas pixel, a seventh of an image
    pixel."""
    ys, xs = np.mgrid[:size, :size]
    image = np.repeat((255 * (np.hypot(xs - 520, ys - 333) < 60)).astype(np.uint8)[..., None], 3, 2)
    (box,) = whole_pixels(np.array([[400.0, 420.0, 700.0]]), 50)
    cut = cut_canvas(image, box, 50)[..., 0].astype(float)
    grey = cut - np.median(cut)
    ys, xs = np.mgrid[:50, :50]
    window = np.hypot(xs - 33, ys - 18) < 12
    centre = [(grey * window * axis).sum() / (grey * window).sum() for axis in (xs, ys)]
    np.testing.assert_allclose(
        centre, transform(np.array([[[520.0, 333.0]]]), crop_affine(box[None], 50))[0, 0], atol=0.01
    )


def test_outside_the_image_is_grey(people):
    image = np.full((20, 20, 3), 250, np.uint8)
    assert (cut_canvas(image, np.array([299.5, 299.5, 50.0]), 32) == 128).all()
    # smaller than a pixel
    assert (cut_canvas(image, np.array([7.5, 11.5, 2.0**40]), 32) == 128).all()
    cut = cut_canvas(image, np.array([19.5, 29.5, 40.0]), 40)
    assert (cut[:10, :20] == 250).all() and (cut[10:] == 128).all() and (cut[:, 20:] == 128).all()


def test_a_canvas_holds_both_papers_crops(people):
    canvas = canvas_boxes(people, CANVAS)
    for codec in (RecurrentCodec(), HourglassCodec()):
        box = codec.boxes(people)
        assert (
            np.abs(box[:, :2] - canvas[:, :2]).max(1) + box[:, 2] / 2 <= canvas[:, 2] / 2 + 1e-9
        ).all()


# ---------------------------------------------------------------- labels


def test_joints_lie_in_the_crop_and_go_back_to_the_image(people, crops):
    rows = np.array([3, 0, 7])
    batch = crops.batch(rows, draw_augmentation("small", 3, np.random.default_rng(4)))
    swap = MPII.mirror
    back = transform(batch.joints.double().numpy(), batch.to_image.numpy())
    mirrored = draw_augmentation("small", 3, np.random.default_rng(4)).mirror
    truth = np.where(mirrored[:, None, None], people.joints[rows][:, swap], people.joints[rows])
    np.testing.assert_allclose(back, truth, atol=1e-3)
    assert mirrored.any() and not mirrored.all()


def test_a_mirrored_crop_is_the_mirror_of_the_crop(crops):
    rows = np.arange(5)
    mirror = replace(zoomed(5, 1.0), mirror=np.ones(5, bool))
    plain, mirrored = crops.batch(rows), crops.batch(rows, mirror)
    torch.testing.assert_close(mirrored.images, plain.images.flip(-1), atol=2e-3, rtol=0)
    expected = plain.joints[:, MPII.mirror].clone()
    expected[..., 0] = SIDE - 1 - expected[..., 0]
    torch.testing.assert_close(mirrored.joints, expected, equal_nan=True, atol=1e-3, rtol=0)
    assert torch.equal(mirrored.state, plain.state[:, MPII.mirror])


def in_a_crowd(people):
    """The same people with 0, 1, 2, 0, 1, 2, ... others each, whose joints are told apart by their
    place; one joint of each is absent."""
    rng = np.random.default_rng(3)
    others = [rng.uniform(0, 300, (i % 3, len(MPII), 2)) for i in range(len(people))]
    for other in others:
        other[:, 4] = np.nan
    return replace(people, others=tuple(others))


def test_other_people_go_the_way_of_the_joints(people, crops, tmp_path):
    crowd = in_a_crowd(people)
    ours = Crops(crowd, load_canvases(crowd, CANVAS, tmp_path, progress=False), crops.codec)
    rows, law = np.array([2, 3, 1, 5]), draw_augmentation("small", 4, np.random.default_rng(4))
    law = replace(law, mirror=np.array([True, True, True, False]))
    batch = ours.batch(rows, law)
    assert batch.others.shape == (4, 2, len(MPII), 2) and batch.others.dtype == torch.float32
    assert torch.isfinite(batch.others[..., 0]).sum(dim=(1, 2)).tolist() == [2 * 15, 0, 15, 2 * 15]
    for row, others, to_image, mirrored in zip(
        rows, batch.others.double(), batch.to_image, law.mirror, strict=True
    ):
        truth = crowd.others[row][:, MPII.mirror] if mirrored else crowd.others[row]
        np.testing.assert_allclose(
            transform(others[: len(truth)], to_image[None]).numpy(), truth, atol=1e-3
        )
        assert torch.isnan(others[len(truth) :]).all()


def test_without_other_people_there_are_none(people, crops, tmp_path):
    alone = replace(people, others=tuple(np.empty((0, len(MPII), 2)) for _ in people.others))
    ours = Crops(alone, load_canvases(alone, CANVAS, tmp_path, progress=False), crops.codec)
    assert ours.batch(np.arange(3)).others.shape == (3, 0, len(MPII), 2)
    assert (
        Crops(
            in_a_crowd(people), load_canvases(people, CANVAS, tmp_path, progress=False), crops.codec
        )
        .batch(np.array([3]))
        .others.shape[1]
        == 0
    )


def test_a_person_whose_image_is_broken_takes_its_others_along(people, tmp_path):
    paths = people.image.copy()
    paths[1] = str(tmp_path / "gone.jpg")
    crowd = replace(in_a_crowd(people), image=paths)
    ours = Crops(
        crowd, load_canvases(crowd, CANVAS, tmp_path, progress=False), RecurrentCodec(side=SIDE)
    )
    batch = ours.batch(np.array([1]))  # the third of all
    np.testing.assert_allclose(
        transform(batch.others[0].double(), batch.to_image).numpy(), crowd.others[2], atol=1e-3
    )


def test_colours_are_gained_and_clamped(crops):
    rows = np.arange(2)
    gain = np.array([[0.5, 1, 4], [1, 1, 1]])
    changed = crops.batch(rows, replace(zoomed(2, 1.0), gain=gain)).images
    plain = crops.batch(rows).images
    torch.testing.assert_close(changed[0, 0] + 0.5, (plain[0, 0] + 0.5) / 2, atol=1e-3, rtol=0)
    torch.testing.assert_close(changed[1], plain[1], atol=1e-3, rtol=0)
    assert changed.min() >= -0.5 and changed.max() == 0.5


def test_a_batch_is_a_function_of_rows_and_augmentation_alone(crops):
    law = draw_augmentation("hourglass", len(crops), np.random.default_rng(0))
    rows = np.array([5, 2, 9, 2])
    first = crops.batch(rows, law[rows])
    crops.batch(np.arange(8))
    torch.manual_seed(5)
    assert same(first, crops.batch(rows, law[rows]))
    alone = crops.batch(rows[2:3], law[rows[2:3]])
    assert torch.equal(alone.images[0], first.images[2])
    torch.testing.assert_close(alone.joints[0], first.joints[2], equal_nan=True, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "codec", [RecurrentCodec(side=SIDE), HourglassCodec(side=SIDE)], ids=["recurrent", "hourglass"]
)
def test_crops_and_targets_come_out_the_same_to_the_bit(people, codec, tmp_path):
    one, other = (
        Crops(people, load_canvases(people, CANVAS, tmp_path / name, progress=False), codec)
        for name in ("one", "other")
    )
    rows = np.arange(0, len(people), 3)
    batches = [one.batch(rows), one.batch(rows), other.batch(rows)]
    targets = [codec.encode(batch.joints, batch.state) for batch in batches]
    assert all(same(batches[0], batch) for batch in batches)
    assert (
        all(
            torch.equal(targets[0].maps, t.maps) and torch.equal(targets[0].weights, t.weights)
            for t in targets
        )
        and targets[0].maps.any()
    )


# ---------------------------------------------------------------- order


@pytest.mark.parametrize(("n", "size"), [(32, 16), (37, 16), (5, 16)])
def test_an_epoch_sees_everybody_at_most_once_and_a_new_order_follows(n, size):
    order = TrainingOrder(n, size, "small", seed=1)
    steps = n // min(n, size)
    epochs = [
        np.concatenate([order(epoch * steps + i)[0] for i in range(steps)]) for epoch in range(3)
    ]
    for rows in epochs:
        assert (
            len(set(rows)) == len(rows) == steps * min(n, size)
            and rows.min() >= 0
            and rows.max() < n
        )
    assert not np.array_equal(epochs[0], epochs[1]) or n == 1


def test_the_order_is_a_function_of_seed_and_step_alone():
    forward = [TrainingOrder(40, 8, "recurrent", 3)(step) for step in range(12)]
    one = TrainingOrder(40, 8, "recurrent", 3)
    for step in (11, 0, 7, 3):
        rows, law = one(step)
        np.testing.assert_array_equal(rows, forward[step][0])
        np.testing.assert_array_equal(law.affine(64), forward[step][1].affine(64))
    assert not np.array_equal(TrainingOrder(40, 8, "recurrent", 4)(0)[0], forward[0][0])
    # a person is augmented anew in each epoch
    assert not np.array_equal(forward[0][1].angle, forward[5][1].angle)


def test_what_is_done_to_a_person_is_a_function_of_seed_epoch_and_index_alone(crops):
    """For a given number of people: the size of the batches and the step at which a person's turn
    comes change nothing."""
    n = len(crops)

    def epoch(size, seed, e):
        order, steps = TrainingOrder(n, size, "small", seed), n // size
        seen = {}
        for step in reversed(range(e * steps, (e + 1) * steps)):
            rows, law = order(step)
            images = crops.batch(rows, law).images
            seen |= {row: image for row, image in zip(rows.tolist(), images, strict=True)}
        return seen

    one, other = epoch(4, 7, 2), epoch(16, 7, 2)
    assert sorted(one) == sorted(other) == list(range(n)) and all(
        torch.equal(one[row], other[row]) for row in one
    )
    for changed in (epoch(16, 8, 2), epoch(16, 7, 3)):
        assert not any(torch.equal(one[row], changed[row]) for row in one)
