"""People: one table for every data set, selected, mapped, put together and known by its labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paperlib.people import ABSENT, concatenate
from paperlib.skeleton import LSP, MPII


@pytest.fixture(scope="module")
def people(tiny):
    return tiny.people("mpii", "train")


def test_people_are_selected_mapped_and_put_together(people):
    few = people.select(np.array([4, 1]))
    assert few.image.tolist() == people.image[[4, 1]].tolist() and len(few.others) == 2
    np.testing.assert_array_equal(few.others[0], people.others[4])
    lsp = few.to(LSP)
    np.testing.assert_array_equal(
        lsp.joints[:, LSP.index("neck")], few.joints[:, MPII.index("upper_neck")]
    )
    back = lsp.to(MPII)
    assert (back.state[:, [MPII.index("pelvis"), MPII.index("thorax")]] == ABSENT).all()
    both = concatenate([few, people.select(slice(0, 3))])
    assert len(both) == 5 and len(both.others) == 5
    with pytest.raises(ValueError, match="cannot be put together"):
        concatenate([few, lsp])


def test_the_identity_of_people_is_of_their_labels_and_not_of_their_folder(people):
    moved = replace(
        people, image=np.array([f"/elsewhere/{Path(name).name}" for name in people.image])
    )
    joints = people.joints.copy()
    joints[0, np.isfinite(joints[0, :, 0]).argmax(), 0] += 0.5
    assert moved.sha256() == people.sha256()
    assert replace(people, joints=joints).sha256() != people.sha256()
    assert people.select(slice(None, None, -1)).sha256() != people.sha256()
    alone = tuple(other[:0] for other in people.others)
    assert replace(people, others=alone).sha256() != people.sha256()  # R's loss can depend on them


def test_a_table_whose_columns_do_not_match_is_refused(people):
    with pytest.raises(ValueError, match="32 images of 16 joints"):
        replace(people, scale=people.scale[:-1])
