"""Downloads of the official data sets that can be stopped at any moment and go on where they were.

`folder` is always the folder of the data sets (PAPERLIB_DATA); the data set `name` lies in
<folder>/<name>.
"""

import gzip
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

import pooch
from filelock import FileLock
from tqdm.auto import tqdm

from paperlib import PaperlibError
from paperlib.data.files import stays_inside
from paperlib.data.sources import Archive, source_of

TIMEOUT = 60  # seconds without a byte before a download is given up
# what a bad archive raises
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)
_BROKEN += (ValueError, RuntimeError)


def fetch(name: str, folder: str | Path, progress: bool = True) -> Path:
    """Download and unpack the data set `name` into <folder>/<name>, which is returned.

    An archive that an earlier call unpacked is not fetched again, and a download that was cut short
    goes on where it was. Raises PaperlibError naming the address where a download fails, stalls for
    TIMEOUT seconds, is cut short or has the wrong checksum, or where an archive is broken or has a
    member that would land outside the folder. What is in place is whole; half a download waits in a
    hidden .part file.
    """
    source = source_of(name)
    target = Path(folder) / name
    if not source.archives:
        raise PaperlibError(f"{source.title} has no direct download; {source.layout}")
    try:
        target.mkdir(parents=True, exist_ok=True)
        with FileLock(target / ".fetch.lock"):
            for archive in source.archives:
                _fetch_archive(archive, target, progress)
    except OSError as error:
        raise PaperlibError(
            f"{error.filename or target}: cannot be written ({error.strerror or error}); free "
            "some space or choose another folder"
        ) from error
    return target


def _fetch_archive(archive: Archive, target: Path, progress: bool) -> None:
    """The mark that an archive was unpacked whole is an empty file beside it."""
    name = archive.url.rsplit("/", 1)[-1]
    done, part = target / (archive.file or f".{name}.done"), target / f".{name}.part"
    if done.exists():
        return
    pooch.get_logger().setLevel("ERROR")
    get = partial(_download, part, progress)
    try:
        path = pooch.retrieve(archive.url, archive.checksum, name, target, downloader=get)
    except Exception as error:  # requests, urllib3 and pooch each have their own
        of_the_net = isinstance(error, (ConnectionError, TimeoutError))
        if isinstance(error, OSError) and error.errno and not of_the_net:
            raise
        raise _failed(archive.url, error, part, done if archive.file else target) from error
    if archive.file:
        done.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, done)
    else:
        _unpack(Path(path), target, archive.url, progress)
        done.touch()
        os.remove(path)


def _download(part: Path, progress: bool, url: str, output_file: str, _) -> None:
    """What pooch calls to download; it goes on after the bytes that an earlier call left in
    `part`."""
    with open(part, "ab") as file:

        def anew(response, **_):
            # it is sent from its start, or there is nothing after what we have
            if response.status_code in (200, 416):
                file.truncate(0)

        headers = {"Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={file.tell()}-"} if file.tell() else {}
        get = pooch.HTTPDownloader(
            progress, chunk_size=1 << 16, timeout=TIMEOUT, headers=headers, hooks={"response": anew}
        )
        get(url, file, None)
    os.replace(part, output_file)


def _failed(url: str, error: Exception, part: Path, place: Path) -> PaperlibError:
    again, there = "try again", part.stat().st_size if part.exists() else 0
    if there:
        again += f", it goes on after the {there / 1e6:.1f} MB that are there"
    else:
        part.unlink(missing_ok=True)
    why = " ".join(str(error).split())
    return PaperlibError(
        f"{url}: download failed ({why}); {again}, or put what it holds into {place} by hand"
    )


def _unpack(path: Path, target: Path, url: str, progress: bool) -> None:
    """All of the archive into a hidden folder, then each file renamed into place. A broken archive
    is deleted, so that it is fetched anew."""
    hidden = target / ".unpacking"
    shutil.rmtree(hidden, ignore_errors=True)  # of a call that was killed
    hidden.mkdir()
    bar = {"unit": "file", "mininterval": 1, "disable": not progress}
    try:
        for name, content in tqdm(_members(path), desc=f"unpacking {path.name}", **bar):
            if not stays_inside(name):
                raise PaperlibError(
                    f"{url}: its member '{name}' would land outside {target}; nothing was "
                    "unpacked, do not trust this archive"
                )
            (hidden / name).parent.mkdir(parents=True, exist_ok=True)
            with open(hidden / name, "wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
        for file in sorted(hidden.rglob("*")):
            place = target / file.relative_to(hidden)
            place.mkdir(exist_ok=True) if file.is_dir() else os.replace(file, place)
    except (*_BROKEN, PaperlibError) as error:
        path.unlink()
        if isinstance(error, PaperlibError):
            raise
        raise PaperlibError(
            f"{url}: a broken archive, cut short or no archive at all ({error}); fetch it again"
        ) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(name, content) of every regular file in a .zip or .tar.gz; links and devices are passed
    over."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    with archive.open(info) as content:
                        yield info.filename, content
    else:
        with tarfile.open(path) as archive:
            yield from ((m.name, archive.extractfile(m)) for m in archive if m.isfile())
