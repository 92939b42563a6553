"""Parcels: files cut into parts small enough to travel one by one, and put back together whole or not at all.

A parcel is a folder: manifest.json, with the hash of every part and of every file, and part-01, part-02, ..: pieces of one tar archive. The same
files give the same bytes. Parts may arrive in any order and over several days; nothing is unpacked before the last one is there.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

from paperlib import PaperlibError
from paperlib.reproduce.runs import sha256
from paperlib.writing import make_folder, write_whole

PART_MB = 16  # 10^6 bytes


def pack(files: dict[str, Path | bytes], folder: Path, part_mb: float = PART_MB) -> Path:
    """Write `files`, by the names they shall have, as a parcel into `folder`, which is emptied first. Returns the manifest's path."""
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    hashes, cutter = {}, _Cutter(folder, round(part_mb * 1e6))
    try:
        with tarfile.open(fileobj=cutter, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name, content in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.size = len(content) if isinstance(content, bytes) else content.stat().st_size
                with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
                    archive.addfile(entry, stream)
                hashes[name] = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256(content)
    except OSError as error:
        raise PaperlibError(f"{folder}: the parcel cannot be written ({error}); free some disk space or choose another folder") from error
    parts = {path.name: sha256(path) for path in cutter.close()}
    identity = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]
    write_whole(folder / "manifest.json", json.dumps({"id": identity, "bytes": cutter.total, "parts": parts, "files": hashes}, indent=1))
    return folder / "manifest.json"


def deliver(parcel: Path, folder: Path, first: int = 1, most: int = 4) -> int:
    """Copy the manifest and at most `most` parts, from number `first` on, into `folder`. Returns the number of the part to go on with, 0 if none."""
    parts = sorted(read_manifest(parcel)["parts"])
    for name in ["manifest.json", *parts[first - 1 : first - 1 + most]]:
        make_folder(folder)
        shutil.copyfile(parcel / name, folder / name)
    return first + most if first - 1 + most < len(parts) else 0


def collect(folder: Path, inbox: Path) -> tuple[Path, list[str]]:
    """Take the parts in `folder` into the inbox, where they wait for the others. Returns the parcel's folder there, and the parts still missing.

    Raises PaperlibError for a part that is not the manifest's; it and whatever comes after it is left where it was.
    """
    manifest = read_manifest(folder)
    waiting = inbox / manifest["id"]
    for name, digest in manifest["parts"].items():
        if (folder / name).exists():
            if sha256(folder / name) != digest:
                raise PaperlibError(f"{folder / name}: not the part that manifest.json speaks of; send it again")
            if folder != waiting:
                write_whole(waiting / name, (folder / name).read_bytes())
    write_whole(waiting / "manifest.json", (folder / "manifest.json").read_text())
    return waiting, [name for name in manifest["parts"] if not (waiting / name).exists()]


def unpack(parcel: Path, folder: Path) -> list[str]:
    """Write the files of a complete parcel into the new `folder`, or nothing. Returns their names."""
    manifest, unfinished = read_manifest(parcel), folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_folder(unfinished)
    try:
        with tarfile.open(fileobj=_Joined([parcel / name for name in sorted(manifest["parts"])]), mode="r|") as archive:
            archive.extractall(unfinished, filter="data")
        wrong = [name for name, digest in manifest["files"].items() if not (unfinished / name).is_file() or sha256(unfinished / name) != digest]
        if wrong:
            raise PaperlibError(f"{parcel}: {wrong[0]} did not arrive as it was sent; send the parcel again")
        os.replace(unfinished, folder)
    except (OSError, tarfile.TarError) as error:
        raise PaperlibError(f"{parcel}: cannot be unpacked into {folder} ({error}); nothing was") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return list(manifest["files"])


def read_manifest(folder: Path) -> dict:
    """A parcel's manifest. Raises PaperlibError where there is none."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        return {key: manifest[key] for key in ("id", "bytes", "parts", "files")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PaperlibError(f"{folder / 'manifest.json'}: not the manifest of a parcel ({type(error).__name__}); name the folder of one") from error


class _Cutter(io.RawIOBase):
    """A stream that is written as files part-01, part-02, .. of `limit` bytes each."""

    def __init__(self, folder: Path, limit: int):
        self.folder, self.limit, self.total, self.paths, self.file = folder, limit, 0, [], None

    def writable(self) -> bool:
        return True

    def write(self, content) -> int:
        content, done = memoryview(content), 0
        while done < len(content):
            room = self.limit - self.total % self.limit
            if room == self.limit:
                if self.file:
                    self.file.close()
                self.paths.append(self.folder / f"part-{len(self.paths) + 1:02d}")
                self.file = self.paths[-1].open("wb")
            piece = content[done : done + room]
            self.file.write(piece)
            done, self.total = done + len(piece), self.total + len(piece)
        return done

    def close(self) -> list[Path]:
        if self.file:
            self.file.close()
        return self.paths


class _Joined(io.RawIOBase):
    """The files of a list, read as one stream."""

    def __init__(self, paths: list[Path]):
        self.paths = iter(paths)
        self.file = next(self.paths).open("rb")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(size)
        while len(content) < size and (path := next(self.paths, None)):
            self.file.close()
            self.file = path.open("rb")
            content += self.file.read(size - len(content))
        return content
