"""Writing a file: all of it or none of it."""

import os
from pathlib import Path

from paperlib import PaperlibError


def make_folder(path: Path) -> None:
    """The folder and those above it. Raises PaperlibError where that is not allowed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PaperlibError(
            f"{path}: cannot be made ({error.strerror}); choose another folder"
        ) from error


def check_writable(path: Path, way_out: str) -> None:
    """Whether `path` is or can become a folder, without making it yet. Raises PaperlibError naming
    what stands in the way, and `way_out`."""
    there = next(folder for folder in (path, *path.absolute().parents) if os.path.exists(folder))
    if not there.is_dir():
        raise PaperlibError(f"{there}: a file, not a folder; {way_out}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PaperlibError(f"{there}: not writable; {way_out}")


def write_whole(path: Path, content: bytes | str) -> None:
    """Under a temporary name first, then renamed: a reader never sees half a file, and a failure
    leaves the old one.

    Raises PaperlibError where the disk is full or the folder not writable.
    """
    make_folder(path.parent)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise PaperlibError(
            f"{path}: cannot be written ({error.strerror}); free some disk space or choose "
            "another folder"
        ) from error
