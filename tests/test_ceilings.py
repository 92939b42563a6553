"""What a perfect network would score: FACTS F.1 on the real labels, and the geometry of each
decoder on any people."""

import shutil

import numpy as np
import pytest

from companion.figures.ceilings import ceiling_curves, ceiling_table
from companion.samples.ceilings import ceilings, decoder_errors, released_hourglass, round_trip
from paperlib.codecs import HourglassCodec
from paperlib.metrics import pck


@pytest.fixture(scope="module")
def people(tiny):
    return tiny.test_people("mpii")


def test_the_printed_ceilings(real_data, tmp_path):
    """FACTS F.1: of the 2958 validation people at 0.1, H 97.9 with the half pixel, 32.5 without,
    95.45 in whole pixels; R 86.0."""
    from paperlib.data.mpii import load_mpii

    (tmp_path / "annot").mkdir()
    # the labels of the released code, in whole pixels
    shutil.copy(real_data / "mpii/annot/valid.h5", tmp_path / "annot")
    errors = decoder_errors(load_mpii(tmp_path, "valid", need_images=False))
    at = {name: pck(error, 0.1) for name, error in errors.items()}
    assert at["H, released, fractions kept"] == pytest.approx(97.9, abs=0.05)
    assert at["H, without the half pixel"] == pytest.approx(32.5, abs=0.05)
    assert at["H, released, whole pixels"] == pytest.approx(95.45, abs=0.005)
    assert at["R, released"] == pytest.approx(86.0, abs=0.05)
    outside = {
        name: 100 * np.isinf(errors[name]).sum() / (~np.isnan(errors[name])).sum()
        for name in ("H, as here", "R, as here")
    }
    assert outside["H, as here"] == pytest.approx(0.50, abs=0.01) and outside[
        "R, as here"
    ] == pytest.approx(0.14, abs=0.01)
    # through the heatmaps of this library, which lose what lies outside them and nothing else
    assert at["H, as here"] == pytest.approx(
        at["H, released, fractions kept"] - outside["H, as here"], abs=0.3
    )
    assert at["R, as here"] == pytest.approx(at["R, released"] - outside["R, as here"], abs=0.3)
    assert all(pck(error, 0.5) > 99.4 for error in errors.values())


def test_without_the_half_pixel_everything_moves_up_and_left_by_half_a_heatmap_pixel(people):
    points = people.joints + 1
    middle, corner = (released_hourglass(points, people, half=half) for half in (0.5, 0))
    cell = 250 * people.scale / 64
    np.testing.assert_allclose(
        middle - corner, np.broadcast_to((cell / 2)[:, None, None], middle.shape) + 0 * middle
    )
    # truncation towards zero: up to a cell left of the heatmap
    assert np.nanmax(np.abs(middle - points) / cell[:, None, None]) <= 1
    inside = (
        np.abs(
            np.nan_to_num(
                points - 1 - people.centre[:, None] - people.scale[:, None, None] * [0, 15]
            )
        )
        < 31 * cell[:, None, None]
    )
    assert (
        np.abs((middle - points) / cell[:, None, None])[inside & ~np.isnan(points)].max()
        <= 0.5 + 1e-9
    )


def test_ours_is_the_released_cell_for_every_joint_on_the_heatmap(people):
    """The codec's decoded point is the middle of the cell that the released arithmetic truncates
    to."""
    ours = round_trip(HourglassCodec(), people)
    released = released_hourglass(people.joints + 1, people) - 1
    there = ~np.isnan(ours)
    assert there.mean() > 0.7
    off = np.abs(ours - released)[there]
    cell = np.broadcast_to((250 * people.scale / 64)[:, None, None], ours.shape)[there]
    # from 1 or from 0, the released box is a pixel of the image further left: the two grids differ
    # by half an image pixel
    # near a cell's edge that may be the cell beside, of this person's size
    assert (off <= cell + 0.5 + 1e-6).all()
    assert (off <= 0.5 + 1e-6).mean() > 0.8


def test_the_table_and_the_figure_hold_every_decoder(tiny):
    frame = ceilings(tiny)
    table, figure = ceiling_table(frame), ceiling_curves(frame)
    names = list(dict.fromkeys(frame.decoder))
    shown = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert table.decoder.tolist() == names == shown
    assert list(table.columns) == ["decoder", "people", "PCKh@0.1", "PCKh@0.2", "PCKh@0.5"]
    assert (
        table.loc[0, "PCKh@0.1"]
        == frame.pck[(frame.decoder == names[0]) & (frame.threshold == 0.1)].item()
    )
    assert all(ax.get_xlabel() and (ax.get_ylabel() or ax.get_title()) for ax in figure.axes)
