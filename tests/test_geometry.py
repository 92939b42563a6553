"""The affine between image, crop and heatmap, the laws of augmentation, and the warp."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paperlib.geometry import (
    Augmentation,
    crop_affine,
    draw_augmentation,
    heatmap_affine,
    transform,
    warp,
)
from paperlib.skeleton import COCO, FLIC, LSP, MPII, SKELETONS, joint_map

LAWS = ("recurrent", "hourglass", "small", "none")
number = st.floats(-500, 1500, allow_nan=False)


def augment(n=1, angle=0.0, zoom=1.0, shift=(0.0, 0.0), mirror=False):
    one, still = np.ones(n), np.zeros((n, 2, 2))
    return Augmentation(
        np.radians(angle) * one,
        zoom * one,
        np.full((n, 2), shift),
        np.full(n, mirror),
        np.ones((n, 3)),
        still,
    )


def at(affine, *point):
    return transform(np.array([[point]], float), affine)[0, 0]


# ---------------------------------------------------------------- image, crop, heatmap


def test_edges_of_the_box_land_on_edges_of_the_crop():
    (affine,) = crop_affine(np.array([[100.0, 50.0, 80.0]]), 256)
    np.testing.assert_allclose(at(affine, 60, 10), [-0.5, -0.5])
    np.testing.assert_allclose(at(affine, 140, 90), [255.5, 255.5])
    np.testing.assert_allclose(at(affine, 100, 50), [127.5, 127.5])  # centre on centre


def test_a_box_that_is_the_image_is_the_identity():
    np.testing.assert_allclose(
        crop_affine(np.array([[(64 - 1) / 2, (64 - 1) / 2, 64]]), 64)[0], np.eye(3), atol=1e-12
    )


@given(number, number, st.floats(5, 2000), st.sampled_from([64, 96, 248, 256]), number, number)
@settings(max_examples=60, deadline=None)
def test_the_inverse_is_exact(x, y, box, side, u, v):
    affine = crop_affine(np.array([[x, y, box]]), side)
    there = heatmap_affine(4) @ affine
    back = transform(transform(np.array([[[u, v]]]), there), np.linalg.inv(there))
    np.testing.assert_allclose(back[0, 0], [u, v], atol=1e-9 * max(1, box))


def test_a_heatmap_pixel_covers_stride_by_stride_crop_pixels():
    affine = heatmap_affine(4)
    np.testing.assert_allclose(at(affine, -0.5, -0.5), [-0.5, -0.5])
    np.testing.assert_allclose(at(affine, 3.5, 247.5), [0.5, 61.5])
    cells = transform(np.stack([np.arange(248.0), np.zeros(248)], -1)[None], affine)[0, :, 0]
    np.testing.assert_array_equal(np.round(cells), np.arange(248) // 4)


def test_transform_keeps_nan_and_takes_torch_and_numpy_alike():
    points = np.random.default_rng(0).normal(size=(3, 5, 2))
    points[1, 2] = np.nan
    affine = augment(3, angle=20, zoom=1.2, shift=(0.1, 0)).affine(64)
    ours = transform(points, affine)
    expected = np.einsum("nij,npj->npi", affine, np.concatenate([points, np.ones((3, 5, 1))], -1))[
        ..., :2
    ]
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    np.testing.assert_allclose(
        transform(torch.from_numpy(points), torch.from_numpy(affine)).numpy(), ours
    )
    assert np.isnan(ours).sum() == 2


def test_composition_is_right_to_left():
    first, second = augment(1, angle=30).affine(64), augment(1, zoom=2).affine(64)
    np.testing.assert_allclose(at(second @ first, 5, 9), at(second, *at(first, 5, 9)))


# ---------------------------------------------------------------- augmentation


def test_mirroring_twice_is_nothing_and_once_swaps_the_sides():
    mirror = augment(mirror=True).affine(256)[0]
    np.testing.assert_allclose(at(mirror, 0, 10), [255, 10])
    np.testing.assert_allclose(mirror @ mirror, np.eye(3), atol=1e-12)


def test_a_positive_angle_turns_x_towards_y_about_the_centre():
    turn = augment(angle=90).affine(101)[0]
    np.testing.assert_allclose(at(turn, 50, 50), [50, 50])
    np.testing.assert_allclose(at(turn, 60, 50), [50, 60], atol=1e-9)


def test_mirroring_comes_after_turning():
    both = augment(angle=30, mirror=True).affine(64)[0]
    np.testing.assert_allclose(
        both, augment(mirror=True).affine(64)[0] @ augment(angle=30).affine(64)[0], atol=1e-9
    )


def test_zoom_is_about_the_centre_and_enlarges():
    zoom = augment(zoom=2).affine(101)[0]
    np.testing.assert_allclose([at(zoom, 50, 50), at(zoom, 60, 45)], [[50, 50], [70, 40]])


def test_shift_is_a_fraction_of_the_side():
    np.testing.assert_allclose(at(augment(shift=(0.1, -0.05)).affine(200)[0], 0, 0), [20, -10])


def test_rows_of_an_augmentation():
    drawn = draw_augmentation("small", 50, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[[7, 3]].affine(64), drawn.affine(64)[[7, 3]])


N = 40_000


@pytest.fixture(scope="module")
def laws():
    return {law: draw_augmentation(law, N, np.random.default_rng(1)) for law in LAWS}


def share(which):
    """Within three standard deviations of a share over N draws, at most 0.0075."""
    return pytest.approx(which, abs=0.0075)


def test_the_recurrent_law(laws):
    """R, FACTS A.6: half turn, uniform within 40 degrees; half are zoomed by 0.7-1.3; one of 5 x 5
    places; no colour."""
    law = laws["recurrent"]
    angle, turned, zoomed = np.degrees(law.angle), law.angle != 0, law.zoom != 1
    assert (turned.mean(), zoomed.mean(), law.mirror.mean()) == (share(0.5), share(0.5), share(0.5))
    assert 39.5 < angle.max() <= 40 and -40 <= angle.min() < -39.5
    np.testing.assert_allclose(
        np.quantile(angle[turned], [0.25, 0.5, 0.75]), [-20, 0, 20], atol=1.2
    )
    assert 1.295 < law.zoom.max() <= 1.3 and 0.7 <= law.zoom.min() < 0.705
    np.testing.assert_allclose(np.quantile(law.zoom[zoomed], [0.25, 0.75]), [0.85, 1.15], atol=0.01)
    places, count = np.unique((law.shift[~turned] * 248).round(9), axis=0, return_counts=True)
    np.testing.assert_array_equal(
        places, [[x, y] for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)]
    )
    np.testing.assert_allclose(count / count.sum(), 1 / 25, atol=0.006)
    assert (law.gain == 1).all()


def test_a_turned_recurrent_crop_lies_anywhere_in_the_enlarged_square(laws):
    """FACTS A.6: the square of 256 px is turned, what it then covers is cut back to 256 px at a
    random place, and that to one of 5 x 5 places."""
    law = laws["recurrent"][(laws["recurrent"].angle != 0) & (laws["recurrent"].zoom == 1)]
    corners = 123.5 + 128 * np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    turned = transform(corners[None], law.affine(248))
    # (n, 2) px of the enlarged square on either side of the crop
    before, behind = (-0.5 - turned.min(axis=1), turned.max(axis=1) - 247.5)
    assert min(before.min(), behind.min()) > -1e-9 and max(before.min(), behind.min()) < 1
    room = 256 * (np.abs(np.cos(law.angle)) + np.abs(np.sin(law.angle)) - 1)
    np.testing.assert_allclose(before + behind, room[:, None] + [8, 8], atol=1e-9)
    wide = room > 80  # so wide that the places, 8 px, hardly matter
    # 0: at the left or the top; 1: at the right or the bottom
    position = (before[wide] - 4) / room[wide, None]
    np.testing.assert_allclose(position.mean(axis=0), 0.5, atol=0.02)
    np.testing.assert_allclose(
        np.quantile(position, [0.1, 0.25, 0.75, 0.9], axis=0),
        np.array([[0.1, 0.25, 0.75, 0.9]] * 2).T,
        atol=0.025,
    )
    assert abs(np.corrcoef(position.T)[0, 1]) < 0.05


def test_a_recurrent_crop_is_moved_for_a_joint_of_the_enlarged_square(laws):
    """FACTS A.6: whatever lies in the square of 256 px stays in the 248 px that are cut out of it;
    what lies outside does not count."""
    law, rng = laws["recurrent"][:2000], np.random.default_rng(3)
    joints = rng.uniform(-40, 288, (2000, 1, 2))  # px of the crop of 248
    before, after = (
        transform(joints, drawn.affine(248))[:, 0] for drawn in (law, law.holding(joints, 248))
    )
    # px by which the square's middle lies beside the crop's
    place = np.round(-4 - 248 * law.play[..., 0])
    middle = before - place
    in_square, in_crop = (
        ((middle >= -4) & (middle <= 251)).all(-1),
        ((before >= 0) & (before <= 247)).all(-1),
    )
    np.testing.assert_allclose(after[in_square], np.clip(before[in_square], 0, 247), atol=1e-9)
    np.testing.assert_array_equal(after[in_crop | ~in_square], before[in_crop | ~in_square])
    assert 20 < (in_square & ~in_crop).sum() and ((before - after) ** 2).max() <= 8**2 + 1e-6


def test_a_crop_is_moved_no_further_than_the_farthest_joint_asks_and_not_at_all_without_play():
    # x: already at the right of the square
    law = replace(augment(shift=(4 / 248, 0)), play=np.array([[[-8, 0], [-4, 4]]]) / 248)
    joints = np.array(
        [[[100.0, 100.0], [246.0, -3.0], [250.0, 30.0], [np.nan, np.nan], [500.0, -3.5]]]
    )
    np.testing.assert_allclose(248 * law.holding(joints, 248).shift, [[4 - 7, 3]])
    np.testing.assert_array_equal(
        replace(law, play=np.zeros((1, 2, 2))).holding(joints, 248).shift, law.shift
    )
    np.testing.assert_array_equal(law.holding(np.full((1, 3, 2), np.nan), 248).shift, law.shift)
    both = replace(augment(), play=np.array([[[-4, 4], [-4, 4]]]) / 248).holding(
        np.array([[[-2.0, 5], [250.0, 5]]]), 248
    )
    np.testing.assert_allclose(248 * both.shift, [[-3, 0]])


def test_a_recurrent_crop_is_turned_first_and_zoomed_then(laws):
    """The random place is in px of the turned square, which the zoom stretches."""
    law = laws["recurrent"][laws["recurrent"].angle != 0]
    room = 256 * (np.abs(np.cos(law.angle)) + np.abs(np.sin(law.angle)) - 1)
    farthest = np.abs(law.shift * 248) - (law.zoom * room / 2)[:, None]
    assert 3.5 < farthest.max() <= 4 + 1e-9
    large = law.zoom > 1.25
    np.testing.assert_allclose(
        ((law.shift[large] * 248) ** 2).mean(),
        ((law.zoom * room)[large] ** 2 / 12).mean() + 8,
        rtol=0.05,
    )  # variances add


def test_the_hourglass_law(laws):
    """H, FACTS C.5: 40 % turn by N(0, 30) within 60; box x 2^N(0, .25) within 2^+-.5; colours x
    0.6-1.4; no shift."""
    law = laws["hourglass"]
    angle, turned = np.degrees(law.angle), law.angle != 0
    assert (turned.mean(), law.mirror.mean()) == (share(0.4), share(0.5))
    assert (angle.max(), angle.min()) == (pytest.approx(60), pytest.approx(-60))
    # beyond two sigma, clipped
    assert (np.abs(angle[turned]) > 59.999).mean() == pytest.approx(0.0455, abs=0.006)
    assert (np.abs(angle[turned]) < 30).mean() == pytest.approx(0.6827, abs=0.012)
    octaves = np.log2(law.zoom)
    assert (octaves.max(), octaves.min()) == (pytest.approx(0.5), pytest.approx(-0.5))
    assert (np.abs(octaves) < 0.25).mean() == share(0.6827)
    assert (law.shift == 0).all()
    np.testing.assert_allclose(
        np.quantile(law.gain, [0, 0.25, 0.75, 1], axis=0),
        np.array([[0.6, 0.8, 1.2, 1.4]] * 3).T,
        atol=0.01,
    )


def test_the_small_law(laws):
    law = laws["small"]
    angle, turned = np.degrees(law.angle), law.angle != 0
    assert (turned.mean(), law.mirror.mean()) == (share(0.6), share(0.5))
    assert np.abs(angle).max() == pytest.approx(30) and (
        np.abs(angle[turned]) < 15
    ).mean() == pytest.approx(0.6827, abs=0.012)
    assert (law.zoom.min(), law.zoom.max()) == (0.75, 1.25)
    assert 0.0495 < np.abs(law.shift).max() <= 0.05 and 0.199 < np.abs(law.gain - 1).max() <= 0.2


def test_draws_do_not_depend_on_one_another(laws):
    for law in ("recurrent", "hourglass", "small"):
        columns = np.column_stack(
            [
                np.abs(laws[law].angle),
                laws[law].mirror,
                np.abs(laws[law].zoom - 1),
                laws[law].gain[:, 0],
            ]
        )
        columns = columns[:, columns.std(0) > 0]
        correlation = np.corrcoef(columns.T) - np.eye(columns.shape[1])
        assert np.abs(correlation).max() < 0.02, law


def test_no_augmentation_is_the_identity(laws):
    np.testing.assert_allclose(
        laws["none"][:5].affine(96), np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12
    )
    assert (laws["none"].gain == 1).all()


def test_an_unknown_law_is_named():
    with pytest.raises(ValueError, match="'bearpaw'.*recurrent, hourglass, small or none"):
        draw_augmentation("bearpaw", 1, np.random.default_rng(0))


# ---------------------------------------------------------------- the warp


def picture(height, width, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def batched(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


def test_the_identity_warp_is_exact():
    image = batched(picture(40, 40))
    # of 255 grey levels
    assert (warp(image, torch.eye(3, dtype=torch.float64)[None], 40) - image).abs().max() < 1e-2


@pytest.mark.parametrize("angle", [0, 17, -50])
def test_the_warp_is_that_of_opencv(angle):
    image = picture(70, 90)
    affine = (
        augment(angle=angle, zoom=1.3).affine(64)[0]
        @ crop_affine(np.array([[47.3, 31.8, 50.5]]), 64)[0]
    )
    ours = (
        warp(batched(image), torch.from_numpy(np.linalg.inv(affine))[None], 64)[0]
        .permute(1, 2, 0)
        .numpy()
    )
    theirs = cv2.warpAffine(
        image.astype(np.float32), affine[:2], (64, 64), flags=cv2.INTER_LINEAR, borderValue=0
    )
    difference = np.abs(ours - theirs)
    assert difference.max() <= 1 + 1e-3 and ours.std() > 5, difference.max()


def test_outside_the_image_is_zero():
    far = torch.from_numpy(np.linalg.inv(crop_affine(np.array([[500.0, 500.0, 20.0]]), 16)))
    assert (warp(batched(picture(40, 40)) + 1, far, 16) == 0).all()


def test_a_warp_of_the_mirrored_affine_is_the_mirrored_picture():
    image, box = batched(picture(60, 80)), np.array([[40.0, 30.0, 44.0]])
    plain, mirrored = crop_affine(box, 32), augment(mirror=True).affine(32) @ crop_affine(box, 32)
    one, other = (
        warp(image, torch.from_numpy(np.linalg.inv(affine)), 32) for affine in (plain, mirrored)
    )
    torch.testing.assert_close(one.flip(-1), other, atol=0.05, rtol=0)


# ---------------------------------------------------------------- skeletons


def test_the_mirror_permutations_are_those_of_the_released_code():
    """FACTS C.5."""
    assert MPII.mirror.tolist() == [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10]
    assert FLIC.mirror.tolist() == [3, 4, 5, 0, 1, 2, 7, 6, 9, 8, 10]
    assert LSP.mirror.tolist() == [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13]


def test_the_parts_are_those_of_the_released_code():
    """FACTS A.1."""
    pairs = "(0,1)(1,2)(2,6)(3,4)(4,5)(6,3)(7,9)(8,9)(10,11)(11,12)(12,7)(13,7)(13,14)(14,15)(6,7)"
    assert "".join(f"({a},{b})" for a, b in MPII.limbs) == pairs


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_mirroring_a_skeleton_is_an_involution_on_joints_and_limbs(skeleton):
    for permutation in (skeleton.mirror, skeleton.limb_mirror):
        np.testing.assert_array_equal(permutation[permutation], np.arange(len(permutation)))
    for limb, image in zip(skeleton.limbs, skeleton.limb_mirror, strict=True):
        assert set(skeleton.mirror[list(limb)]) == set(skeleton.limbs[image])


def test_joints_map_by_name_and_the_unknown_ones_are_absent():
    source = joint_map(LSP, MPII)
    assert [MPII.joints[j] for j in range(16) if source[j] < 0] == ["pelvis", "thorax"]
    assert LSP.joints[source[MPII.index("upper_neck")]] == "neck" and joint_map(MPII, LSP)[
        LSP.index("neck")
    ] == MPII.index("upper_neck")
    assert (joint_map(COCO, MPII) >= 0).sum() == 12 and (
        joint_map(MPII, MPII) == np.arange(16)
    ).all()
