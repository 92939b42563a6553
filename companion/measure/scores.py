"""What a study measures: a run's scores on its test people with their interval, and the baselines
that know no image."""

from dataclasses import dataclass

import numpy as np

from companion.measure.finding import MEMBERS
from companion.measure.intervals import Statistic, share
from companion.runs.study import Study
from paperlib import PaperlibError
from paperlib.conventions import convention
from paperlib.geometry import crop_affine, transform
from paperlib.metrics import Scores, bootstrap_interval, normalised_errors, score
from paperlib.people import People
from paperlib.skeleton import joint_map


@dataclass(frozen=True)
class Measured:
    """One system on one set of people: its scores, and what each person contributes to them."""

    scores: Scores
    errors: np.ndarray  # (N, J) in reference lengths, NaN where not annotated
    counted: np.ndarray  # (J,) bool: the joints of the convention

    @property
    def hits(self) -> np.ndarray:
        """(N, J') bool, over the joints of the convention."""
        return self.errors[:, self.counted] <= self.scores.threshold

    @property
    def annotated(self) -> np.ndarray:
        return ~np.isnan(self.errors[:, self.counted])

    def share(self, groups: tuple[str, ...] = (), threshold: float = 0.0) -> Statistic:
        """The pooled share, percent, of the convention's joints, or of MPII's joint `groups`,
        within the convention's threshold or another."""
        joints = sum((MEMBERS[group] for group in groups), []) or self.counted
        return share(self.errors[:, joints], threshold or self.scores.threshold)

    def interval(self) -> tuple[float, float]:
        """95 % of the total over people drawn with replacement, percent: of this training, whatever
        its seed."""
        return bootstrap_interval(self.hits, self.annotated)

    def gain_over(self, other: "Measured") -> tuple[float, float, float]:
        """Total minus the other's, and its paired 95 % interval over people, percent points: of
        these trainings, whatever their seeds."""
        return (
            self.scores.total - other.scores.total,
            *bootstrap_interval(self.hits, self.annotated, against=other.hits),
        )


def measure(points: np.ndarray, people: People, dataset: str) -> Measured:
    """Score points (N, J, 2), image px, of `people` under the official convention of mpii
    (PCKh@0.5), lsp, lsp-held-out or flic (PCK@0.2).

    Visible and occluded joints are told apart only where the labels say who is occluded. Raises
    PaperlibError where nobody has the reference length: nothing can be measured.
    """
    rule = convention(dataset.partition("-")[0])
    reference = people.head_size if dataset == "mpii" else people.torso
    if len(people) and not (reference > 0).any():
        length = "head size" if dataset == "mpii" else "torso"
        raise PaperlibError(
            f"{dataset}: none of {len(people)} people has a {length}, the reference length of the "
            "official convention; there is no score without it: load labels that give it"
        )
    counted = np.array([joint in rule.joints for joint in people.skeleton.joints])
    state = None if "occlusion" in people.unstated else people.state
    scores = score(points, people.joints, reference, people.skeleton, rule, state)
    return Measured(scores, normalised_errors(points, people.joints, reference), counted)


def measure_run(study: Study, name: str, on: str = "", site: int = -1, **how) -> Measured:
    """Score run `name` on the test people of `on` (default: its own test set).

    `site` picks a supervised site, the last one is the answer; `how` it is predicted, `flip`,
    `scales` or `offset`, is what `Study.predict` takes.
    """
    run = study.runs[name]
    on = on or run.test_on
    prediction = study.predict(name, on, **how)
    people = study.test_crops(name, on).people  # with the codec's joints, readable images only
    own = study.test_people(on).skeleton
    points = prediction.points[site][:, joint_map(run.codec.skeleton, own)]
    return measure(points, people.to(own), on)


def measure_seeds(study: Study, name: str, **how) -> list[Measured]:
    """`measure_run` of run `name` and of its repeats with other seeds."""
    return [measure_run(study, run, **how) for run in study.seeds(name)]


def baseline(study: Study, name: str, statistic=np.nanmean) -> Measured:
    """The same pose for everybody: the mean (or median) of the test set's own training people, in
    crop px, laid into each test person's crop."""
    run = study.runs[name]
    training = study.people(run.test_on, "train")
    test = study.test_crops(name).people.to(training.skeleton)
    pose = statistic(
        transform(training.joints, crop_affine(run.codec.boxes(training), run.codec.side)), axis=0
    )  # (J, 2)
    to_image = np.linalg.inv(crop_affine(run.codec.boxes(test), run.codec.side))
    return measure(
        transform(np.broadcast_to(pose, (len(test), *pose.shape)), to_image), test, run.test_on
    )


def site_by_site(study: Study, name: str) -> dict[str, np.ndarray]:
    """What each of run `name`'s S supervised sites changes, over the joints of its convention:
    `right` (S,) percent; `repaired` and `spoilt` (S - 1,), joints right where the site before was
    wrong and the reverse; `gain` (3,), the last site less the first in points, with its paired 95 %
    interval over people."""
    sites = len(study.predict(name).points)
    found = [measure_run(study, name, site=site) for site in range(sites)]
    hits = np.stack([one.hits for one in found])
    return {
        "right": np.array([one.scores.total for one in found]),
        "repaired": (hits[1:] & ~hits[:-1]).sum(axis=(1, 2)),
        "spoilt": (hits[:-1] & ~hits[1:]).sum(axis=(1, 2)),
        "gain": np.array(found[-1].gain_over(found[0])),
    }
