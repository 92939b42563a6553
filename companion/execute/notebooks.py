"""The notebooks, run headlessly: parameters checked before a kernel starts, executed by papermill,
stored clean."""

import ast
import hashlib
import json
import os
import re
import warnings
from pathlib import Path

import nbformat
import papermill
from filelock import FileLock, Timeout
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

import paperlib
from companion.artifacts.artifacts import keep, read_manifest
from companion.runs.notebook_index import artifacts_of, notebook_file, tags_of
from paperlib import PaperlibError
from paperlib.data.images import fault_of
from paperlib.writing import make_folder, write_whole

# Silences ipykernel's warning about an encryption that local pipes do not need.
QUIET = Config({"KernelManager": {"transport_encryption": "auto"}})
WIDGET = "application/vnd.jupyter.widget-view+json"
TYPES = {"str": str, "int": int, "float": float, "bool": bool}


class ThisInterpreter(AsyncKernelManager):
    """Starts the Python that runs us, with the paperlib that runs, whichever kernels a user has
    installed, and with no start-up file or backend of the user's."""

    results = ""  # the folder that the notebook writes its results folder in

    @property
    def kernel_spec(self) -> KernelSpec:
        paths = [str(Path(paperlib.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        env = {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONSTARTUP": "",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PAPERLIB_RESULTS": self.results,
        }
        return KernelSpec(**get_kernel_dict() | {"env": env})


def check_parameters(name: str, parameters: dict) -> dict:
    """The parameters, typed as the notebook declares them; a file is found from where we are
    called.

    Raises PaperlibError for one that is unknown, of another type or out of range, and for a file
    that is no picture. That is read from the comment behind the parameter: '# one of: auto, cpu,
    cuda', '# from 0 to 23' or '# a photograph ...'.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = papermill.inspect_notebook(str(notebook_file(name)))
    return {key: _checked(name, key, value, known) for key, value in parameters.items()}


def _checked(name: str, key: str, value, known: dict):
    if key not in known:
        raise PaperlibError(f"notebook {name} has no parameter {key!r}; it has {', '.join(known)}")
    declared, described = known[key]["inferred_type_name"], known[key]["help"] or ""
    kind = TYPES.get(declared, str)
    if kind is not str and isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            pass
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise PaperlibError(f"notebook {name}: {key} is {value!r}, but must be of type {declared}")
    if match := re.match(r"one of: (.*)", described):
        choices = [word.strip() for word in match[1].split(",")]
        fits, must = value in (*choices, ""), f"one of {', '.join(choices)}"
    elif match := re.match(r"from (\S+) to (\S+)", described):
        low, high = float(match[1]), float(match[2].rstrip(",;:"))
        fits, must = low <= value <= high, match[0]
    else:
        fits, must = True, ""
    if not fits:
        raise PaperlibError(f"notebook {name}: {key} is {value!r}, but must be {must}")
    return _photograph(key, value) if value and described.startswith("a photograph") else value


def _photograph(key: str, value: str) -> str:
    """The absolute path: a notebook's kernel runs in another folder."""
    path = Path(value).expanduser().resolve()
    if fault := fault_of(path):
        raise PaperlibError(f"--set {key}={value}: {path}: {fault}")
    return str(path)


def stamp(name: str, parameters: dict, inputs: list[str]) -> str:
    """What an executed notebook depends on: its source, its parameters and the files that they
    name, its runs and data (`inputs`), and our code."""
    packages = (Path(paperlib.__file__).parent, Path(__file__).parents[1])
    words = [value for value in parameters.values() if value and isinstance(value, str)]
    named = [path for word in words if (path := Path(word).expanduser()).is_file()]
    code = sorted(path for package in packages for path in package.rglob("*"))
    code = [path for path in code if path.suffix in (".py", ".toml", ".csv", ".j2")]
    digest = hashlib.sha256(json.dumps([parameters, inputs]).encode())
    for path in (notebook_file(name), *named, *code):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(name: str, results: Path, key: str) -> bool:
    """Whether the executed copy and all files that it made exist, and `key` is their stamp."""
    path = results / ".cache" / f"{name}.json"
    if not path.exists() or not (results / "notebooks" / f"{name}.ipynb").exists():
        return False
    kept = json.loads(path.read_text())
    return kept["stamp"] == key and all((results / file).exists() for file in kept["files"])


def execute(
    name: str, results: Path, parameters: dict, key: str, provenance: dict | None = None
) -> Path:
    """Run a notebook with papermill and keep the executed, cleaned copy in results/notebooks, with
    its `provenance` in its metadata.

    A second process that wants the same notebook waits for the first and takes what it made. Raises
    PaperlibError that names the cell that failed; the copy as far as it came stays beside, as
    NAME.failed.ipynb.
    """
    make_folder(results / ".cache")
    lock = FileLock(results / ".cache" / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
        waited = False
    except Timeout:
        print(f"{name}: another process is executing it; waiting for that one", flush=True)
        lock.acquire()
        waited = True
    try:
        if not (waited and is_current(name, results, key)):
            _execute(name, results, parameters, key, provenance or {})
    finally:
        lock.release()
    return results / "notebooks" / f"{name}.ipynb"


def _execute(name: str, results: Path, parameters: dict, key: str, provenance: dict) -> None:
    home = results / "notebooks"
    home.mkdir(parents=True, exist_ok=True)
    raw, failed = home / f"{name}.running.ipynb", home / f"{name}.failed.ipynb"
    failed.unlink(missing_ok=True)
    parent = results.resolve().parent
    ipython = results.resolve() / ".cache" / "ipython"  # a profile without a user's start-up files
    make_folder(ipython)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            papermill.execute_notebook(
                str(notebook_file(name)),
                str(raw),
                parameters,
                cwd=str(notebook_file(name).parent),
                kernel_name="python3",
                kernel_manager_class=type("Kernel", (ThisInterpreter,), {"results": str(parent)}),
                extra_arguments=[f"--ipython-dir={ipython}"],
                progress_bar=False,
                config=QUIET,
            )
    except PapermillExecutionError as error:
        raw.replace(failed)
        raise PaperlibError(
            f"notebooks/{name}.ipynb, cell {error.exec_count}: {error.ename}: {error.evalue}; "
            f"see {failed}"
        ) from error
    except (DeadKernelError, CellTimeoutError) as error:
        raise PaperlibError(
            f"notebooks/{name}.ipynb: its kernel died (out of memory, or killed); the same "
            "command goes on where it was"
        ) from error
    notebook = clean(nbformat.read(raw, 4))
    notebook.metadata["paperlib"] = provenance
    entry = {"kind": "notebook", "provenance": provenance}
    keep(results, name, entry, {home / f"{name}.ipynb": nbformat.writes(notebook) + "\n"})
    raw.unlink()
    made = [read_manifest(results).get(artifact, {}) for artifact in artifacts_of(name)]
    files = [file for entry in made for file in entry.get("files", {})]
    files += ["claims.csv"] if "claims" in tags_of(name) else []
    write_whole(results / ".cache" / f"{name}.json", json.dumps({"stamp": key, "files": files}))


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An executed notebook as we store it: outputs and counts kept; injected cell, timings,
    progress bars and widget states dropped."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        cell.metadata = {
            key: value
            for key, value in cell.metadata.items()
            if key in ("tags", "jupyter") and value
        }
        if cell.cell_type == "code":
            for output in cell.outputs:
                _without_widget(output)
            cell.outputs = [output for output in cell.outputs if not _passing(output)]
    return notebook


def _without_widget(output) -> None:
    """Of a widget that says what to show where no kernel runs, only that."""
    data = output.get("data", {})
    if WIDGET in data and "text/html" in data:
        output["data"] = nbformat.from_dict({"text/html": data["text/html"]})


def _passing(output) -> bool:
    """Progress bars and widgets: true while they run, meaningless in a stored copy."""
    data = output.get("data", {})
    return output.output_type == "stream" and output.name == "stderr" or WIDGET in data
