"""The catalogue: every run of every artifact, by name, at every size. A run is a frozen value; its
identity is the hash of what it holds."""

import json
from dataclasses import asdict, dataclass, fields, is_dataclass, replace

from torch import nn

from companion.published.claims import claims
from companion.runs.sizes import SCALES, SIZES, Scale
from paperlib import PaperlibError
from paperlib.codecs import Codec, HourglassCodec, RecurrentCodec
from paperlib.compared import ErrorFeedbackCodec, PoseMachineCodec
from paperlib.models import ErrorFeedback, PoseMachine, Recurrent, StackedHourglass
from paperlib.recipe import Recipe
from paperlib.skeleton import FLIC, MPII, SKELETONS, Skeleton

# LSP-extended's crowd labels are its noise: on photographs its people are seen once for five times
# an LSP and three an MPII person, or not at all.
CLEAN = ("lsp",) * 5 + ("mpii",) * 3
CLEAN_FIRST = (*CLEAN, "lspet")
EVEN = ("lsp", "lspet", "mpii")
SHOW_HEATMAPS = {
    "R-fig1",
    "R-fig2",
    "R-fig4",
    "R-fig5",
    "R-fig8",
    "H-fig2",
    "H-fig10",
}  # of one person each, so drawn with the network at hand
NETWORKS = {
    "recurrent": Recurrent,
    "hourglass": StackedHourglass,
    "pose_machine": PoseMachine,
    "error_feedback": ErrorFeedback,
}
# Size -> options of the pose machine and of error feedback; at other sizes they have no runs. At
# night each stage of the pose machine sees as much of its crop as the paper's does, within 15 %.
COMPARED = {
    "tiny": (
        {"stages": 2, "width": 8, "kernels": (5, 3, 5, 5), "stride": 4, "norm": True},
        {"steps": 2, "width": 8, "norm": True},
    ),
    "night": (
        {"stages": 6, "width": 16, "kernels": (5, 3, 5, 7), "stride": 4, "norm": True},
        {"steps": 4, "width": 16, "norm": True},
    ),
}


@dataclass(frozen=True)
class Network:
    """A model class by its short name, and what it is built with."""

    kind: str
    options: tuple[tuple[str, object], ...]

    def build(self) -> nn.Module:
        return NETWORKS[self.kind](**dict(self.options))


@dataclass(frozen=True)
class Run:
    """One training: everything that decides its weights, and the artifacts that need it."""

    name: str
    network: Network
    codec: Codec
    recipe: Recipe
    train_on: tuple[str, ...]  # data sets, merged, each its split "train" unless named: "lsp-rest"
    test_on: str
    artifacts: tuple[str, ...]
    seed: int = 0
    start: "Run | None" = None  # the run whose weights this one goes on from

    @property
    def shows_heatmaps(self) -> bool:
        """Whether an artifact shows the heatmaps that it draws: then its weights are kept with the
        results, and not only what it predicts."""
        return self.seed == 0 and not SHOW_HEATMAPS.isdisjoint(self.artifacts)

    def spec(self) -> str:
        """What decides the weights, as JSON: all but the name and the artifacts, and of each
        dataclass only what differs from its defaults."""
        settled = replace(self, name="", artifacts=(), start=None)
        started = {"start": json.loads(self.start.spec())} if self.start else {}
        said = {key: value for key, value in _settings(settled).items() if value not in ("", [])}
        return json.dumps(said | started, sort_keys=True)


def _settings(value) -> object:
    """A frozen value in JSON's terms; of a dataclass, its class and the fields that differ from
    their defaults."""
    if isinstance(value, Skeleton):
        return value.name if SKELETONS.get(value.name) == value else asdict(value)
    if is_dataclass(value):
        changed = {
            field.name: getattr(value, field.name)
            for field in fields(value)
            if getattr(value, field.name) != field.default
        }
        return {"class": type(value).__name__} | {
            name: _settings(held) for name, held in changed.items()
        }
    return [_settings(held) for held in value] if isinstance(value, tuple) else value


def catalogue(size: str = "smoke", data: str = "synthetic", seeds: int = 0) -> dict[str, Run]:
    """Every run at `size` on `data`, by name; runs that claims compare once for each of `seeds` (0:
    as many as the size has), as NAME-seed1.

    Raises PaperlibError for a size or a kind of data that does not exist, and for a negative number
    of seeds.
    """
    if size not in SIZES:
        raise PaperlibError(f"size {size!r}: it is {', '.join(SIZES)}")
    if data not in ("synthetic", "real"):
        raise PaperlibError(f"data {data!r}: it is synthetic or real")
    if seeds < 0:
        raise PaperlibError(f"{seeds} seeds: at least one is needed")
    scale = SCALES[size]
    runs = {
        run.name: run
        for family in (_recurrent_runs, _hourglass_runs, _other_runs)
        for run in family(size, scale, data)
    }
    if (size, data) == ("night", "real"):
        runs |= {run.name: run for run in _shipped_runs(runs)}
    compared = [
        runs[name] for claim in claims() if len(claim["runs"]) > 1 for name in claim["runs"]
    ]
    compared += [run for run in runs.values() if run.name.endswith("-fine")]
    repeats = [_repeat(run, seed) for seed in range(1, seeds or scale.seeds) for run in compared]
    return runs | {run.name: run for repeat in repeats for run in (repeat.start, repeat) if run}


def seeds_of(runs: dict[str, Run], name: str) -> list[str]:
    """The names of run `name` and of its repeats with other seeds."""
    return [other for other in runs if first_of(other) == name]


def runs_of_claim(claim: dict, runs: dict[str, Run]) -> list[str]:
    """The runs that a claim compares; of a claim about body parts (`fine`) those with more cells,
    where the size has them."""
    finer = [f"{name}-fine" for name in claim["runs"]]
    there = claim.get("fine") and all(name in runs for name in finer)
    return finer if there else claim["runs"]


def first_of(name: str) -> str:
    """The run that a repeat repeats; any other run's own name."""
    return name.partition("-seed")[0]


def _shipped_runs(runs: dict[str, Run]) -> list[Run]:
    """The trainings behind the weights of the package (paperlib/weights): night's networks for LSP,
    twice as wide, each an hour or two of one thread, and what each ends with: the clean sets
    alone."""

    def longer(name: str, steps: int, rate: float, **wider) -> Run:
        run = runs[name]
        network = replace(run.network, options=tuple((dict(run.network.options) | wider).items()))
        recipe = replace(run.recipe, steps=steps, rate=rate, log_every=50, watch_every=1000)
        return replace(run, name=f"{name}-longer", network=network, recipe=recipe, artifacts=())

    def ended(run: Run) -> Run:
        recipe = replace(run.recipe, steps=1400, rate=5e-4)  # two epochs
        name = run.name.replace("-longer", "-clean")
        return replace(run, name=name, recipe=recipe, train_on=CLEAN, start=run)

    trained = [
        longer("hourglass-lsp", 9000, 1.5e-3, features=128),
        longer("recurrent-lsp", 6000, 2e-3, width=32),
    ]
    return [*trained, *map(ended, trained)]


def _repeat(run: Run, seed: int) -> Run:
    return replace(
        run, name=f"{run.name}-seed{seed}", seed=seed, start=run.start and _repeat(run.start, seed)
    )


@dataclass(frozen=True)
class RecurrentRow:
    """A training of R's network; what it does not say is as in R's row "Keypoint" of table I."""

    name: str
    iterations: int
    parts: bool
    artifacts: str = ""
    occluded: str = "include"
    balanced: bool = True
    train_on: tuple[str, ...] = ("mpii",)
    start: str = ""  # the row that it goes on from
    # row; main: trained longer; fine: more cells, for claims about body parts
    scale: str = "row"


RECURRENT = (
    RecurrentRow("recurrent", 2, True, "R-fig1 R-fig2 R-fig6 R-tab2", scale="main"),
    RecurrentRow("recurrent-t0-exclude", 0, False, "R-tab1", occluded="exclude"),
    RecurrentRow("recurrent-t0-ignore", 0, False, "R-tab1", occluded="ignore"),
    RecurrentRow("recurrent-t0", 0, False, "R-tab1"),
    RecurrentRow("recurrent-t0-unweighted", 0, False, balanced=False),
    RecurrentRow("recurrent-t1", 1, False, "R-tab1"),
    RecurrentRow("recurrent-t2", 2, False, "R-tab1"),
    RecurrentRow("recurrent-t2-parts", 2, True, "R-tab1"),
    RecurrentRow("recurrent-t2-parts-coco", 2, True, "R-tab1", train_on=("coco",)),
    RecurrentRow(
        "recurrent-t2-parts-finetuned", 2, True, "R-tab1 R-tab2", start="recurrent-t2-parts-coco"
    ),
    RecurrentRow("recurrent-t2-parts-merged", 2, True, "R-tab1", train_on=("mpii", "coco")),
    RecurrentRow("recurrent-t1-parts", 1, True, "R-tab1 R-fig4 R-fig7 R-fig8"),
    RecurrentRow("recurrent-t1-parts-ignore", 1, True, "R-fig4 R-fig7", occluded="ignore"),
    RecurrentRow("recurrent-t1-parts-exclude", 1, True, "R-fig7 R-fig8", occluded="exclude"),
    RecurrentRow("recurrent-lsp", 2, True, "R-fig5 R-fig9 R-tab4", train_on=("lsp",), scale="main"),
    RecurrentRow("recurrent-t0-fine", 0, False, scale="fine"),
    RecurrentRow("recurrent-t1-parts-fine", 1, True, scale="fine"),
    RecurrentRow("recurrent-t2-fine", 2, False, scale="fine"),
    RecurrentRow("recurrent-t2-parts-fine", 2, True, scale="fine"),
)


@dataclass(frozen=True)
class HourglassRow:
    """A training of H's network: so many hourglasses of so many residual modules at each step."""

    name: str
    stacks: int  # 0: as many as the main network has at the size
    modules: int
    artifacts: str
    supervision: str = "every"
    people: str = "mpii"
    # family: of the eight modules of H fig. 8; row: the main network's width; main: trained longer
    scale: str = "family"
    zero: bool = False  # the paper's empty maps for joints without annotation


HOURGLASS = (
    HourglassRow(
        "hourglass", 0, 1, "H-fig2 H-fig5 H-fig7 H-fig9 H-fig10 H-fig11 H-tab2", scale="main"
    ),
    HourglassRow("hourglass-zero", 0, 1, "H-fig11", scale="row", zero=True),
    HourglassRow("hourglass-1x8", 1, 8, "H-fig8", supervision="last"),
    HourglassRow("hourglass-1x8-int", 1, 8, "H-fig8", supervision="upsampling"),
    HourglassRow("hourglass-2x4-last", 2, 4, "H-fig8", supervision="last"),
    HourglassRow("hourglass-2x4", 2, 4, "H-fig8 H-fig9"),
    HourglassRow("hourglass-4x2", 4, 2, "H-fig9"),
    HourglassRow("hourglass-8x1", 8, 1, "H-fig9"),
    HourglassRow("hourglass-flic", 0, 1, "H-fig6 H-tab1", people="flic", scale="row"),
    HourglassRow("hourglass-lsp", 0, 1, "R-tab4", people="lsp", scale="main"),
)


def _recurrent_runs(size: str, scale: Scale, data: str) -> list[Run]:
    """The rows of RECURRENT at a size; those of more cells where the size has them."""
    runs: dict[str, Run] = {}
    for row in RECURRENT:
        if row.scale == "fine" and not scale.fine_side:
            continue
        options = scale.fine if row.scale == "fine" else {}
        codec = RecurrentCodec(parts=row.parts, occluded=row.occluded, balanced=row.balanced)
        if size != "paper":
            side = scale.fine_side if row.scale == "fine" else scale.side
            codec = replace(codec, side=248 if size == "short" else side, tail=1e-2)
        shape = {"joints": 16, "parts": 15 if row.parts else 0, "iterations": row.iterations}
        on_lsp = row.train_on == ("lsp",)
        runs[row.name] = Run(
            row.name,
            Network("recurrent", tuple((shape | scale.recurrent | options).items())),
            codec,
            _recurrent_recipe(size, scale, scale.longer if row.scale == "main" else 1, data),
            _on_lsp(size, data) if on_lsp else row.train_on,
            "lsp" if on_lsp else "mpii",
            tuple(row.artifacts.split()),
            start=runs.get(row.start),
        )
    return list(runs.values())


def _hourglass_runs(size: str, scale: Scale, data: str) -> list[Run]:
    """The rows of HOURGLASS at a size. At size paper the main network and `hourglass-zero` are
    one."""
    runs = []
    for row in HOURGLASS:
        codec = HourglassCodec(skeleton=FLIC) if row.people == "flic" else HourglassCodec()
        if size != "paper":
            codec = replace(codec, side=scale.side, sigma=1.3, peak=12.0, tail=1e-2)
            codec = codec if row.zero else replace(codec, balanced=True, absent="ignore")
        shape = {
            "joints": len(codec.skeleton),
            "stacks": row.stacks or scale.stacks,
            "modules": row.modules,
            "supervision": row.supervision,
        }
        options = scale.family if row.scale == "family" else scale.hourglass
        run = Run(
            row.name,
            Network("hourglass", tuple((shape | options).items())),
            codec,
            _hourglass_recipe(size, scale, scale.longer if row.scale == "main" else 1, data),
            _on_lsp(size, data) if row.people == "lsp" else (row.people,),
            row.people,
            tuple(row.artifacts.split()),
        )
        runs.append(run)
    return runs


def _other_runs(size: str, scale: Scale, data: str) -> list[Run]:
    """Networks of neither paper; CONTRIBUTING.md shows a row."""
    return [
        # a row of a new network stands here
        *_compared_runs(size, scale, data)
    ]


def _compared_runs(size: str, scale: Scale, data: str) -> list[Run]:
    """Convolutional Pose Machines and Iterative Error Feedback on MPII and on LSP, at the sizes in
    COMPARED; with the crop's side, the weights and the schedule of the main hourglass there."""
    if size not in COMPARED:
        return []
    machine, feedback = COMPARED[size]
    learnable = {"sigma": 1.3, "peak": 12.0, "balanced": True, "absent": "ignore"}
    maps = PoseMachineCodec(side=scale.side, skeleton=MPII, stride=machine["stride"], **learnable)
    points = ErrorFeedbackCodec(side=scale.side)
    sets = (("", ("mpii",), "mpii", ()), ("-lsp", _on_lsp(size, data), "lsp", ()))

    def runs(kind, options, codec, rate):
        network = Network(kind, (("joints", len(MPII)), *options.items()))
        recipe = _short_recipe(size, scale, scale.longer, data, rate)
        name = kind.replace("_", "-")
        return [Run(name + of, network, codec, recipe, *people) for of, *people in sets]

    return [
        *runs("pose_machine", machine, maps, 6e-3),
        *runs("error_feedback", feedback, points, 2e-3),
    ]


def _on_lsp(size: str, data: str) -> tuple[str, ...]:
    """The training sets of the runs measured on LSP; a set named twice is seen twice an epoch."""
    return CLEAN_FIRST if data == "real" and size in ("night", "short") else EVEN


def _recurrent_recipe(size: str, scale: Scale, longer: float, data: str) -> Recipe:
    if size == "paper":  # 50 epochs of 22,246 people in batches of 20 (FACTS A.7)
        return Recipe(
            55_615, 20, 1e-5, "sgd", "recurrent", "recurrent", log_every=100, watch_every=1000
        )
    return _short_recipe(size, scale, longer, data, rate=3e-3)


def _hourglass_recipe(size: str, scale: Scale, longer: float, data: str) -> Recipe:
    if size == "paper":  # 100 epochs of 8,000 batches of 6 (FACTS C.4)
        return Recipe(
            800_000, 6, 2.5e-4, "rmsprop", "plateau", "hourglass", log_every=100, watch_every=8000
        )
    return _short_recipe(size, scale, longer, data, rate=2e-3)


def _short_recipe(size: str, scale: Scale, longer: float, data: str, rate: float) -> Recipe:
    """Adam and one cycle; twice the steps on photographs, which are harder than drawings."""
    steps = round(scale.steps * longer * (2 if data == "real" and size == "smoke" else 1))
    if size == "short":
        return Recipe(steps, 32, rate / 2, log_every=50, watch_every=steps // 8)
    return Recipe(
        steps, scale.batch, rate, log_every=max(1, steps // 36), watch_every=max(1, steps // 36) * 6
    )
