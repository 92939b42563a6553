"""The best weights at hand: reference runs, else those that come with the package, else a smoke run; and one line that says which and how good."""

from pathlib import Path

from paperlib import PaperlibError
from paperlib.reproduce.catalogue import Run, catalogue
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.machine import choose_device
from paperlib.reproduce.runs import Trained, is_cached, load, read_record
from paperlib.reproduce.scales import SIZES
from paperlib.weights import Weights, load_weights, record_of, shipped

BEST_FIRST = ("hourglass-lsp", "recurrent-lsp", "hourglass", "recurrent")  # LSP's people fill the picture, as a photograph's do
REFERENCE = ("real-paper", "real-short")
OTHERS = ("real-smoke", "synthetic-paper", "synthetic-short", "synthetic-smoke")


def best_weights(wanted: str = "", device: str = "auto") -> Weights:
    """Those of a .safetensors file with its record beside it, or of a run's folder; those of a
    name, shipped or a run of the catalogue; or, if empty, the best here.

    Raises PaperlibError where there are none, where a file has no record, and where record, weights and catalogue do not belong together.
    """
    device = choose_device(device)
    if wanted and (Path(wanted) / "weights.safetensors").is_file():  # a run's folder
        wanted = str(Path(wanted) / "weights.safetensors")
    if wanted.endswith(".safetensors"):
        return _of_file(Path(wanted), device)
    if Path(wanted).name != wanted:  # a path, where names of runs have none
        raise PaperlibError(f"--weights {wanted}: not a .safetensors file; name the file itself, with its record beside it")
    runs, here = Folders.here().runs, shipped()
    names = (wanted,) if wanted else BEST_FIRST
    for study in (*REFERENCE, None, *OTHERS):
        for name in names:
            if study is None and name in here:
                return load_weights(here[name], device)
            ready = [folder for folder in (runs / study).glob(f"{name}-*") if _fits(folder, name)] if study else []
            if ready:
                return _of_run(max(ready, key=lambda folder: (folder / "record.json").stat().st_mtime), device)
    if wanted and Path(wanted).exists():
        raise PaperlibError(f"--weights {wanted}: not a .safetensors file; name the file itself, with its record beside it")
    if wanted and wanted not in catalogue():
        known = ", ".join(here) or "none"
        raise PaperlibError(f"--weights {wanted}: neither a .safetensors file nor a run of the catalogue; with the package come: {known}")
    raise PaperlibError(
        f"no weights {f'of run {wanted!r} ' if wanted else ''}in {runs}; train some with 'paperlib train {wanted or 'hourglass-lsp'}', "
        "or name a .safetensors file with --weights"
    )


def describe(weights: Weights) -> str:
    """Which weights, what they learnt from and how good they are, in one line."""
    record = weights.record
    learnt = f"{record['people']} people, {record['run']['steps']} steps"
    scores = "; ".join(f"{score['measure']} {score['total']:.1f} on {score['on']}" for score in record.get("scores", []))
    return f"weights: {weights.name}, {weights.kind}, {learnt}; {scores or 'not measured'}"


def _of_file(file: Path, device) -> Weights:
    if not file.exists():
        raise PaperlibError(f"{file}: no such file; --weights takes a .safetensors file with its record beside it, or a run's name")
    if record_of(file).exists():
        return load_weights(record_of(file), device)
    if file.name != "weights.safetensors" or not is_cached(file.parent):
        raise PaperlibError(
            f"{file}: without its record, {record_of(file).name} or record.json, nobody knows which network it is; put it beside the file"
        )
    return _of_run(file.resolve().parent, device)


def _of_run(folder: Path, device) -> Weights:
    record = read_record(folder)
    name, run = record.get("name", ""), _run(folder, record.get("name", ""))
    if run is None:
        raise PaperlibError(f"{folder}: run {name!r} of {folder.parent.name!r} is not in the catalogue; weights of a run stay in DATA-SIZE/RUN")
    if not _fits(folder, name):
        raise PaperlibError(f"{folder}: trained by another version of the catalogue; train it anew with 'paperlib train {name}'")
    return as_weights(load(run, folder, device))


def as_weights(trained: Trained) -> Weights:
    """A cached run's; how good it is, is what was watched of its test people at the end of training."""
    run, log = trained.run, trained.log
    watched = log["pck"].dropna().tolist() if "pck" in log else []
    measure = "PCKh@0.5" if run.test_on == "mpii" else "PCK@0.2"
    scores = [{"measure": measure, "total": total, "on": f"the test people of {run.test_on} watched in training"} for total in watched[-1:]]
    record = {"people": trained.record["people"], "run": trained.record, "scores": scores}
    return Weights(run.name, f"run of {_study_of(trained.folder)}", trained.model, run.codec, record, trained.folder / "record.json")


def _fits(folder: Path, name: str) -> bool:
    """Whether `folder` holds run `name` as the catalogue has it today."""
    if not is_cached(folder):
        return False
    record, run = read_record(folder), _run(folder, name)
    return run is not None and record.get("name") == name and record.get("spec") == run.spec()


def _run(folder: Path, name: str) -> Run | None:
    data, _, size = _study_of(folder).partition("-")
    return catalogue(size, data).get(name) if data in ("synthetic", "real") and size in SIZES else None


def _study_of(folder: Path) -> str:
    """DATA-SIZE of a run's folder: DATA-SIZE/RUN in the runs folder, DATA-SIZE/runs/RUN with the results."""
    home = folder.parents[1] if folder.parent.name == "runs" else folder.parent
    return home.name.removesuffix("-public")
