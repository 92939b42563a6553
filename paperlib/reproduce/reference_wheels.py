"""What a machine that has torch and no network still needs: a list of it, and wheels to take along. Nothing but Python is needed to run this.

python -m paperlib.reproduce.reference_wheels                 there: what is installed, and what is not
python -m paperlib.reproduce.reference_wheels WHEELS          here: wheels of what runs notebooks, for Linux on x86-64 and --python 3.12
python -m pip install -q --no-index --no-deps --target SITE WHEELS/*.whl      there; then PYTHONPATH=SITE:.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from paperlib import PaperlibError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ("papermill", "nbclient", "nbformat", "ipykernel", "ipywidgets", "pooch")  # what a machine for training is likely to lack
THERE = ("torch", "numpy", "nvidia", "triton")  # no wheels of these: the machine's own are built for it
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_24", "manylinux_2_17", "manylinux_2_12", "manylinux_2_5", "manylinux2014", "manylinux1")


def installed() -> dict[str, str]:
    """Direct requirement -> the version that is here, '' if it is not; also those of the tests, but for the linter's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!\[; ]", text)[0] for text in (*project["dependencies"], *project["optional-dependencies"]["test"])]
    return {name: _version(name) for name in names if name != "ruff"}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def pack_wheels(folder: Path, names: tuple[str, ...] = NOTEBOOKS, python: str = "3.12") -> list[Path]:
    """Wheels of `names` and of all that they need but THERE, pinned as here, into `folder`. Raises PaperlibError where pip does not find them."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", f"{platform}_x86_64")]
    target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]
    words = ["pip", "download", "-q", "-c", str(ROOT / "constraints.txt"), "-d", str(folder), *target, *names]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
    if done.returncode:
        why = next((line for line in done.stderr.splitlines() if "ERROR" in line), "pip failed")
        raise PaperlibError(f"{folder}: {why}; {' '.join(words[:3])} needs the network, and each package needs a wheel for Python {python}")
    for wheel in folder.glob("*.whl"):
        if wheel.name.lower().split("-")[0].split("_")[0] in THERE:
            wheel.unlink()
    return sorted(folder.glob("*.whl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", nargs="?", type=Path, help="a folder that git ignores, such as runs/wheels")
    parser.add_argument("names", nargs="*", help=f"instead of {', '.join(NOTEBOOKS)}")
    parser.add_argument("--python", default="3.12", help="the version there")
    options = parser.parse_args()
    if options.wheels:
        wheels = pack_wheels(options.wheels, tuple(options.names) or NOTEBOOKS, options.python)
        print(f"{options.wheels}: {len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / 1e6:.1f} MB")
        return
    found = installed()
    print(f"Python {sys.version.split()[0]}; " + ", ".join(f"{name} {found}" for name, found in found.items() if found))
    print("not here: " + (", ".join(name for name, found in found.items() if not found) or "nothing"))


if __name__ == "__main__":
    try:
        main()
    except PaperlibError as error:
        sys.exit(f"paperlib: {error}")
