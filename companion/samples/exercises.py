"""Answers to the notebooks' exercises, and a check that a student runs: it says whether an answer
is right, and never stops a notebook."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch

from companion.runs.catalogue import catalogue
from companion.samples.receptive_fields import RECURRENT, fields
from paperlib import models
from paperlib.codecs import RecurrentCodec
from paperlib.geometry import crop_affine, transform
from paperlib.people import VISIBLE
from paperlib.skeleton import MPII, PARTS


@dataclass(frozen=True)
class Exercise:
    """What is right, found by the library; how near a number must be, as a share of it; and a hint
    for who is wrong, or for a mistake that is known."""

    right: Callable[[], float | str]
    hint: str
    within: float = 0.01
    traps: tuple[tuple[Callable[[object], bool], str], ...] = ()


def check_answer(exercise: str, answer: float | str | None) -> None:
    """Print what to think of an `answer` to exercise "03.1": none yet, right, or a hint."""
    asked = EXERCISES[exercise]
    if answer is None:
        print(f"{exercise}: not answered yet")
    elif _agree(answer, right := asked.right(), asked.within):
        said = (
            right
            if isinstance(right, str)
            else f"{right:,}"
            if right == int(right)
            else f"{right:.3f}"
        )
        print(f"{exercise}: right, {said}")
    else:
        known = [hint for trap, hint in asked.traps if _caught(trap, answer)]
        print(f"{exercise}: not yet. {(known or [asked.hint])[0]}")


def _agree(answer: object, right: float | str, within: float) -> bool:
    if isinstance(right, str):
        return str(answer).strip().lower() == right.lower()
    return isinstance(answer, Real) and abs(float(answer) - right) <= within * abs(right)


def _caught(trap: Callable[[object], bool], answer: object) -> bool:
    try:
        return bool(trap(answer))
    except TypeError:  # words where a number was meant, or the reverse
        return False


def first_pixel() -> float:
    """Where our map brings the first pixel of a box of 500 px, in a crop of 256 px."""
    box = np.array([[249.5, 249.5, 500.0]])
    return float(transform(np.zeros((1, 1, 2)), crop_affine(box, 256))[0, 0, 0])


def longest_weighted_limb() -> float:
    """The first length, in heatmap px, at which a limb in the middle of R's map weighs 1
    everywhere."""
    codec, thigh = RecurrentCodec(), len(MPII) + PARTS["left_thigh"]
    ends = [MPII.index("left_knee"), MPII.index("left_hip")]
    for length in range(10, 40):
        joints, state = torch.full((1, len(MPII), 2), 122.0), torch.full((1, len(MPII)), VISIBLE)
        joints[0, ends, 0] += torch.tensor([-2.0, 2.0]) * length  # crop px: four a heatmap px
        if (codec.encode(joints, state).weights[0, thigh] == 1).all():
            return length
    raise AssertionError("no limb turns the weights off")


def one_more_stack() -> int:
    """Learnable numbers of a second stack of the released hourglass."""
    with torch.device("meta"):
        one, two = (models.parameters(models.StackedHourglass(stacks)) for stacks in (1, 2))
    return two - one


def batch_norms_of_a_pass() -> int:
    """Learnable numbers that one more iteration of R's network costs: its batch norms."""
    with torch.device("meta"):
        one, two = (models.parameters(models.Recurrent(iterations=T)) for T in (1, 2))
    return two - one


def first_to_see_all() -> str:
    """The first site of the network of size smoke that sees its whole crop."""
    run = catalogue("smoke")["recurrent"]
    kernels = dict(run.network.options)["kernels"]
    seen = fields(models.Recurrent(width=2, kernels=kernels), RECURRENT, 256)
    sites = seen[seen.layer.str.startswith("8") & (seen.field >= run.codec.side)]
    return str(sites.layer.iloc[0]).split(",")[0]


def times_smaller() -> float:
    """The hourglass of June 2016 over R's network, both counted by R's rule."""
    rule = models.complexity.paper_rule
    with torch.device("meta"):
        return rule(models.StackedHourglass(8, head="paper")) / rule(models.Recurrent())


EXERCISES = {
    "01.3": Exercise(
        first_pixel,
        "Put x = x0, the first pixel, into the formula of section 1.6: the other map gives 0.",
        traps=((lambda x: abs(x - 0.244) < 0.01, "The size is right. On which side of 0?"),),
    ),
    "02.1": Exercise(
        longest_weighted_limb,
        "The region is an ellipse with half-axes of 9.1 sigma; when is it half of 3844 px?",
        within=0.05,
        traps=((lambda x: abs(x - 88) < 8, "That is in crop px. Four make a heatmap px."),),
    ),
    "02.2": Exercise(
        lambda: 62 * 62 * 31,
        "Count the pixels of one map, and the maps: keypoints and parts.",
        traps=((lambda x: x in (62 * 62 * 16, 62 * 62), "R also draws maps of 15 body parts."),),
    ),
    "03.1": Exercise(
        first_to_see_all,
        "Add (k - 1) x 4 px for each kernel of k px, pass by pass, to the 40 px of 8A.",
        traps=((lambda x: str(x).lower() == "8a", "8A sees 40 px of 96."),),
    ),
    "03.2": Exercise(
        batch_norms_of_a_pass,
        "A batch norm learns two numbers a channel; the three of a pass have 64, 64 and 128.",
        traps=((lambda x: x == 256, "Gain and bias: two numbers a channel."),),
    ),
    "04.1": Exercise(
        one_more_stack,
        "Subtract the two counts of the column `released` in the table of section 4.6.",
        within=0,
    ),
    "05.1": Exercise(
        lambda: 1.96 * np.sqrt(2) * 0.3,
        "A difference of two trainings has sqrt(2) times the spread of one.",
        within=0.03,
        traps=((lambda x: abs(x - 0.59) < 0.02, "Both trainings have luck, not one."),),
    ),
    "06.1": Exercise(
        lambda: 1 - 0.2315,
        "At every threshold precision is the share of the positives, here of visible joints.",
        traps=((lambda x: abs(x - 0.2315) < 0.01, "That is the other one, for 'occluded'."),),
    ),
    "06.2": Exercise(
        lambda: "ankle",
        "Divide what each gains over chance by what there was to gain.",
        traps=(
            (lambda x: str(x).lower() == "knee", "The knee goes 91 % of the way. And the other?"),
        ),
    ),
    "07.2": Exercise(
        times_smaller,
        "Divide two figures of the column that counts by R's rule: 172,096 and R's own.",
        within=0.02,
        traps=((lambda x: x > 100, "That divides figures of two different rules."),),
    ),
    "07.4": Exercise(
        lambda: 0.5,
        "Twenty intervals, and 2.5 % of them lie wholly above 0 by luck.",
        traps=((lambda x: x == 1, "Half of the 5 % lie below 0, and do not say agrees."),),
    ),
}
