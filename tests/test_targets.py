"""The numbers behind notebook 02."""

import numpy as np
import pytest

from companion.samples import targets
from paperlib import PaperlibError


def test_other_people_lose_their_weight_under_the_papers_rule_only(tiny):
    numbers = targets.other_people(tiny, "left_knee")
    released, paper = numbers["weights"].astype(float)
    assert (numbers["maps"][0] == numbers["maps"][1]).all() and numbers["maps"].max() == 12
    gone = released != paper
    assert gone.any() and (paper[gone] == 0).all() and (released > 0).all()
    assert (numbers["maps"][0][gone] == 0).all()


def test_a_study_without_neighbours_says_so(tiny, monkeypatch):
    people = tiny.test_people("mpii")
    alone = people.select(np.array([len(other) == 0 for other in people.others]))
    monkeypatch.setattr(tiny, "test_people", lambda name: alone)
    with pytest.raises(PaperlibError, match="somebody else's left_knee beside it"):
        targets.other_people(tiny, "left_knee")
