"""The best weights at hand: of the papers' networks on photographs, else those of the package, else
of a small run; and one line that says which and how good."""

from pathlib import Path

from companion.runs.catalogue import Run, catalogue
from companion.runs.sizes import SIZES
from companion.runs.train_or_load import Trained, is_cached, load, read_record
from companion.settings import Folders
from paperlib import PaperlibError
from paperlib.device import choose_device
from paperlib.weights import Weights, load_weights, record_of, shipped
from paperlib.weights import load as load_file

# LSP's people fill the picture, as a photograph's do
BEST_FIRST = ("hourglass-lsp", "recurrent-lsp", "hourglass", "recurrent")
LARGE = ("real-paper", "real-short")
OTHERS = ("real-smoke", "synthetic-paper", "synthetic-short", "synthetic-smoke")


def best_weights(wanted: str = "", device: str = "auto") -> Weights:
    """Those of a file, ours with its record beside it or another's checkpoint; those of a run's
    folder; those of a name, shipped or a run of the catalogue; or, if empty, the best here.

    Raises PaperlibError where there are none, where a file has no record, and where record, weights
    and catalogue do not belong together.
    """
    device = choose_device(device)
    if wanted and (Path(wanted) / "weights.safetensors").is_file():  # a run's folder
        wanted = str(Path(wanted) / "weights.safetensors")
    if wanted.endswith(".safetensors"):
        return _of_file(Path(wanted), device)
    if Path(wanted).suffix or Path(wanted).name != wanted:  # names of runs have neither
        return load_file(wanted, device)
    runs, here = Folders.here().runs, shipped()
    names = (wanted,) if wanted else BEST_FIRST
    for study in (*LARGE, None, *OTHERS):
        for name in names:
            if study is None and name in here:
                return load_weights(here[name], device)
            folders = (runs / study).glob(f"{name}-*") if study else ()
            ready = [folder for folder in folders if _fits(folder, name)]
            if ready:
                made = lambda folder: (folder / "record.json").stat().st_mtime  # noqa: E731
                return _of_run(max(ready, key=made), device)
    if wanted and Path(wanted).exists():
        return load_file(wanted, device)
    train = _training(wanted or BEST_FIRST[0])
    if not train:
        known = ", ".join(here) or "none"
        raise PaperlibError(
            f"--weights {wanted}: neither a file nor a run of the catalogue; with the package "
            f"come: {known}"
        )
    which = f"of run {wanted!r} " if wanted else ""
    raise PaperlibError(
        f"no weights {which}in {runs}; train some with '{train}', or name a .safetensors file "
        "with --weights"
    )


def _training(name: str) -> str:
    """The command that trains run `name`, at size smoke on drawn people if there is such a run; ''
    where no size and no kind of data has one."""
    for size in sorted(SIZES, key=lambda size: size != "smoke"):
        for data, option in (("synthetic", ""), ("real", " --data real")):
            if name in catalogue(size, data):
                smaller = "" if size == "smoke" else f" --size {size}"
                return f"paperlib train {name}{smaller}{option}"
    return ""


def describe(weights: Weights) -> str:
    """Which weights, what they learnt from and how good they are, in one line."""
    record, learnt = weights.record, "its file does not say what it learnt from"
    if "people" in record:
        steps = sum(one["steps"] for one in record.get("stages", [record["run"]]))
        learnt = f"{record['people']} people, {steps} steps"
    scores = "; ".join(
        f"{score['measure']} {score['total']:.1f} on {score['on']}"
        for score in record.get("scores", [])
    )
    return f"weights: {weights.name}, {weights.kind}, {learnt}; {scores or 'not measured'}"


def _of_file(file: Path, device) -> Weights:
    if not file.exists():
        raise PaperlibError(
            f"{file}: no such file; --weights takes a .safetensors file with its record "
            "beside it, or a run's name"
        )
    if record_of(file).exists():
        return load_weights(record_of(file), device)
    if file.name != "weights.safetensors" or not is_cached(file.parent):
        return load_file(file, device)
    return _of_run(file.resolve().parent, device)


def _of_run(folder: Path, device) -> Weights:
    record = read_record(folder)
    name, run = record.get("name", ""), _run(folder, record.get("name", ""))
    if run is None:
        raise PaperlibError(
            f"{folder}: run {name!r} of {folder.parent.name!r} is not in the catalogue; "
            "weights of a run stay in DATA-SIZE/RUN"
        )
    if not _fits(folder, name):
        raise PaperlibError(
            f"{folder}: trained by another version of the catalogue; train it anew with "
            f"'paperlib train {name}'"
        )
    return as_weights(load(run, folder, device))


def as_weights(trained: Trained) -> Weights:
    """The weights of a cached run; their score is the last validation score of its training."""
    run, log = trained.run, trained.log
    watched = log["pck"].dropna().tolist() if "pck" in log else []
    score = {"measure": "PCKh@0.5" if run.test_on == "mpii" else "PCK@0.2"}
    score |= {"on": f"the test people of {run.test_on} watched in training"}
    scores = [score | {"total": total} for total in watched[-1:]]
    built = {"class": type(trained.model).__name__, "options": dict(run.network.options)}
    people = trained.record["people"]
    record = {"people": people, "run": trained.record, "scores": scores, "model": built}
    kind, path = f"run of {_study_of(trained.folder)}", trained.folder / "record.json"
    return Weights(run.name, kind, trained.model, run.codec, record, path)


def _fits(folder: Path, name: str) -> bool:
    """Whether `folder` holds run `name` as the catalogue has it today."""
    if not is_cached(folder):
        return False
    record, run = read_record(folder), _run(folder, name)
    return run is not None and record.get("name") == name and record.get("spec") == run.spec()


def _run(folder: Path, name: str) -> Run | None:
    data, _, size = _study_of(folder).partition("-")
    known = data in ("synthetic", "real") and size in SIZES
    return catalogue(size, data).get(name) if known else None


def _study_of(folder: Path) -> str:
    """DATA-SIZE of a run's folder: DATA-SIZE/RUN in the runs folder, DATA-SIZE/runs/RUN with the
    results."""
    home = folder.parents[1] if folder.parent.name == "runs" else folder.parent
    return home.name.removesuffix("-public")
