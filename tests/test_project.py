"""The project as a whole: pins, environments, the order of imports, sizes of files, and nothing of
one machine in them."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "paperlib"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(package):
    return re.sub(r"[-_.]+", "-", package).lower()


PINS = dict(
    (name_of(line.split("==")[0]), line.split("==")[1].strip())
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
REQUIRED = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), []))
]


# ---------------------------------------------------------------- what is installed


@pytest.mark.parametrize("needed", REQUIRED, ids=str)
def test_every_direct_dependency_is_pinned_within_its_range(needed):
    assert needed.specifier.contains(PINS[name_of(needed.name)])


def test_the_pins_need_nothing_that_is_not_pinned():
    """A pin of which a requirement is left open installs another version tomorrow. Read from what
    is installed here."""
    from importlib.metadata import PackageNotFoundError, distribution

    todo, seen = [name_of(needed.name) for needed in REQUIRED], set()
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        try:
            texts = distribution(package).requires or []
        except PackageNotFoundError:
            continue
        needs = [Requirement(text) for text in texts]
        todo += [
            name_of(need.name)
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    apart = {
        "triton",
        "cuda-bindings",
        "cuda-toolkit",
        "setuptools",
        "pip",
    }  # of a torch for GPUs, and of every environment
    unpinned = {
        package for package in seen - set(PINS) if not package.startswith("nvidia-")
    } - apart
    assert not unpinned, sorted(unpinned)


def test_nothing_is_imported_that_is_not_required():
    known = {
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "yaml": "pyyaml",
        "sklearn": "scikit-learn",
    }
    through = {"traitlets", "IPython", "pygments", "packaging"}  # with jupyterlab
    required = {name_of(needed.name) for needed in REQUIRED}
    imported = {}
    for path in [*MODULES.values(), *(ROOT / "tests").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            imported |= {name.split(".")[0]: path.name for name in names if name}
    foreign = (
        set(imported)
        - set(sys.stdlib_module_names)
        - {"paperlib", "companion", "tools", "tests", "official_files", "golden_trainings"}
        - through
    )
    missing = {
        name: imported[name] for name in foreign if name_of(known.get(name, name)) not in required
    }
    assert not missing, missing


def test_conda_installs_the_same():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert pip == ["-c constraints.txt", "-e .[companion,test]"]
    (python,) = [
        part
        for part in environment["dependencies"]
        if isinstance(part, str) and part.startswith("python=")
    ]
    assert python.removeprefix("python=") in SpecifierSet(PROJECT["requires-python"])
    assert "pip" in environment["dependencies"]


def test_make_installs_the_same():
    makefile = (ROOT / "Makefile").read_text()
    assert (
        re.search(r"pip install .*-c constraints\.txt -e '\.\[\$\(EXTRAS\)\]'", makefile)
        and "EXTRAS ?= companion,test\n" in makefile
    )
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert f"sys.version_info >= ({lowest.replace('.', ', ')})" in makefile


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("/some folder/data", ""),
        ("~/my data", ""),
        ("some folder/d", f"{ROOT}/"),
        ("d", f"{ROOT}/"),
    ],
)
@pytest.mark.parametrize("how", ["environment", "argument"])
def test_make_hands_on_a_folder_with_spaces(tmp_path, given, root, how):
    (tmp_path / "show.mk").write_text('include Makefile\nshow:\n\t@printf %s "$$PAPERLIB_DATA"\n')
    words = ["make", "-s", "-f", str(tmp_path / "show.mk"), "show"]
    words += [f"PAPERLIB_DATA={given}"] if how == "argument" else []
    given_so = {"PAPERLIB_DATA": given} if how == "environment" else {}
    environment = {key: os.environ[key] for key in os.environ if key != "MAKEFLAGS"} | given_so
    made = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (made.returncode, made.stdout) == (0, root + given), made.stderr


# ---------------------------------------------------------------- the house


def name_of_module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    name_of_module(path): path
    for folder in ("paperlib", "companion", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def ours(module):
    """The modules of ours that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{a.name}" for a in node.names}
            found |= {name if name in MODULES else node.module for name in inner}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
    return found & set(MODULES)


# Each floor of paperlib sees only those below it.
GROUND = {
    "skeleton": set(),
    "people": {"skeleton"},
    "geometry": set(),
    "heatmaps": set(),
    "codecs": {"geometry", "heatmaps", "people", "skeleton"},
    "losses": {"codecs"},
    "conventions": set(),
    "metrics": {"conventions", "people", "skeleton"},
    "compared": {
        "codecs",
        "geometry",
        "heatmaps",
        "losses",
        "models.error_feedback",
        "people",
        "skeleton",
    },
    "device": set(),
    "mathematics": set(),
    "recipe": set(),
    "train": {"codecs", "compared", "data.crops", "device", "losses", "recipe"},
    "predict": {"codecs", "data.crops", "device", "geometry"},
    "validation": {"codecs", "data.crops", "metrics", "predict", "train"},
}


@pytest.mark.parametrize("module", GROUND)
def test_the_ground_floor_stands_on_what_is_below_it(module):
    below = {f"paperlib.{name}" for name in GROUND[module]} | {"paperlib"}
    assert ours(f"paperlib.{module}") <= below


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("paperlib")])
def test_the_science_imports_nothing_of_the_companion(module):
    assert {name.split(".")[0] for name in ours(module)} <= {"paperlib"}


def test_the_science_needs_neither_jupyter_nor_matplotlib():
    """Every module of paperlib is imported with none of the companion's requirements at hand."""
    modules = [m for m in MODULES if m.startswith("paperlib")]
    names = {"jupyter-client": "jupyter_client", "lightning-fabric": "lightning_fabric"}
    absent = [
        names.get(needed.name, needed.name)
        for needed in map(Requirement, PROJECT["optional-dependencies"]["companion"])
    ]
    code = (
        "import sys, importlib\n"
        f"sys.modules |= dict.fromkeys({[*absent, 'companion', 'IPython']!r})\n"
        f"[importlib.import_module(name) for name in {modules!r}]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("paperlib.models")])
def test_a_model_knows_nothing_but_models(module):
    assert {name.split(".")[1] for name in ours(module) - {"paperlib"}} <= {"models", "skeleton"}


# The rooms of the companion from the ground up: a room sees only those named before it.
FLOORS = (
    ("settings", "drawn", "published", "figures"),
    ("runs",),
    ("measure", "samples"),
    ("artifacts",),
    ("execute",),
    ("app",),
    ("desk",),  # of the notebooks
)


@pytest.mark.parametrize("module", [m for m in MODULES if m.count(".") and m.startswith("comp")])
def test_a_room_of_the_companion_sees_only_the_floors_below(module):
    room = module.split(".")[1]
    floor = next(number for number, rooms in enumerate(FLOORS) if room in rooms)
    below = {room, *(name for rooms in FLOORS[:floor] for name in rooms)}
    seen = {name.split(".")[1] for name in ours(module) if name.startswith("companion.")}
    assert seen <= below, seen - below


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("companion.figures")])
def test_a_figure_is_drawn_of_numbers_alone(module):
    assert not [
        name for name in ours(module) if name.startswith(("paperlib.train", "paperlib.data"))
    ]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short_and_says_what_it_does(module):
    text = MODULES[module].read_text()
    assert len(text.splitlines()) <= 450
    assert ast.get_docstring(ast.parse(text)), "no docstring"


def test_every_room_is_in_the_wheel():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    rooms = {name_of_module(path / "x").rpartition(".")[0] for path in folders_of_code()}
    assert set(listed) == rooms | {"companion.notebooks"}


def folders_of_code():
    return {path.parent for name, path in MODULES.items() if not name.startswith("tools")}


def test_the_wheel_holds_all_that_the_commands_need(tmp_path):
    """Built from a copy, for a build leaves folders behind."""
    kept = ("pyproject.toml", "README.md", "LICENSE", "paperlib", "companion", "notebooks")
    for name in kept:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "-w", "dist", "."], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("two_pose_papers-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    there = {
        path.relative_to(ROOT).as_posix()
        for folder in ("paperlib", "companion")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there <= inside, there - inside
    notebooks = {
        f"companion/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    assert len(notebooks) == 7 and notebooks <= inside


# ---------------------------------------------------------------- what is stored


def tracked():
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [
        ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()
    ]


TEXT = (
    ".py",
    ".ipynb",
    ".md",
    ".toml",
    ".txt",
    ".yml",
    ".yaml",
    ".cfg",
    ".cff",
    ".html",
    ".json",
    ".csv",
    "",
)


HOMES = ("home", "Users", "work", "mnt", "root")  # where people keep checkouts


def test_no_path_of_one_machine():
    local = re.compile(rf"(?<![\w.])/({'|'.join(HOMES)})/|[A-Z]:\\\\Users")
    found = []
    for path in tracked():
        if path.suffix in TEXT and path != Path(__file__):
            hit = local.search(path.read_text(errors="replace"))
            found += [f"{path.relative_to(ROOT)}: {hit[0]}"] if hit else []
    assert not found, found


def test_no_large_file():
    limits = {
        ".ipynb": 1_500_000,
        ".png": 800_000,
        ".npz": 500_000,
        ".safetensors": 16_000_000,
        ".html": 3_000_000,
    }  # a front page holds its pictures
    large = [
        f"{path.relative_to(ROOT)}: {path.stat().st_size}"
        for path in tracked()
        if path.stat().st_size > limits.get(path.suffix, 1_000_000)
    ]
    assert not large, large


def test_no_images_of_people_no_caches_and_no_weights_but_the_shipped_and_the_kept_are_stored():
    """Shipped with the package, or kept with the results of a run whose heatmaps a figure shows."""
    kinds = {".pt", ".safetensors", ".jpg", ".jpeg", ".h5", ".mat", ".npy", ".part", ".pyc"}
    shipped = {
        path
        for path in tracked()
        if path.parent == PACKAGE / "weights" and path.suffix == ".safetensors"
    }
    kept = {path for path in tracked() if path.match("results/*/runs/*/weights.safetensors")}
    assert not [
        path.name for path in tracked() if path.suffix in kinds and path not in shipped | kept
    ]
    assert sum(path.stat().st_size for path in shipped | kept) <= 50_000_000


def test_every_fact_that_is_cited_is_there():
    facts = (ROOT / "companion" / "published" / "FACTS.md").read_text()
    places = [
        path
        for folder in ("paperlib", "companion", "notebooks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".toml", ".ipynb")
    ]
    cited = {
        section
        for path in places
        for section in re.findall(r"FACTS ([A-H0](?:\.\d+)?)\b", path.read_text())
    }
    here = {found.rstrip(".") for found in re.findall(r"^#+ ([A-H0](?:\.\d+)?)\b", facts, re.M)} | {
        f"0.{n}" for n in range(1, 11)
    }
    assert len(cited) > 20 and cited <= here, cited - here
