"""The official data sets: where each comes from and under what licence, a download that can be repeated, and a check of what lies in the folder.

`folder` is always the folder of the data sets (PAPERLIB_DATA); the data set `name` lies in <folder>/<name>.
"""

import gzip
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pooch

from paperlib import PaperlibError
from paperlib.data.coco import load_coco
from paperlib.data.files import choose, stays_inside
from paperlib.data.flic import load_flic
from paperlib.data.images import image_size
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii
from paperlib.people import ABSENT, OCCLUDED, People

TIMEOUT = 60  # seconds without a byte before a download is given up
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RuntimeError)  # what a bad archive raises


@dataclass(frozen=True)
class Archive:
    url: str
    checksum: str | None = None  # as pooch writes it, "md5:..."; None where none is published


@dataclass(frozen=True)
class Source:
    """`people` are the published counts of each split, `joints` the published count of a state over all of them."""

    name: str
    title: str
    archives: tuple[Archive, ...]  # none: by hand, as `layout` says
    licence: str
    size: str
    citation: str
    layout: str
    people: tuple[tuple[str, int], ...]
    joints: tuple[int, int] | None = None


_MPII_URL = "https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr/"
_COCO_URL = "http://images.cocodataset.org/"

SOURCES = (
    Source(
        "mpii",
        "MPII Human Pose",
        (Archive(_MPII_URL + "mpii_human_pose_v1.tar.gz"), Archive(_MPII_URL + "mpii_human_pose_v1_u12_2.zip")),
        "Simplified BSD, for research",
        "12.9 GB",
        "Andriluka, Pishchulin, Gehler and Schiele: 2D Human Pose Estimation: New Benchmark and State of the Art Analysis. CVPR 2014",
        "mpii/images/*.jpg are fetched; mpii/mpii_annotations.json (or .json.gz), the record list of Convolutional Pose Machines with the "
        "validation split, has no official address: put it there by hand",
        people=(("train", 22246), ("valid", 2958)),
    ),
    Source(
        "lsp",
        "Leeds Sports Pose",
        (Archive("http://sam.johnson.io/research/lsp_dataset.zip"),),
        "for research; none is stated",
        "11 MB unpacked",
        "Johnson and Everingham: Clustered Pose and Nonlinear Appearance Models for Human Pose Estimation. BMVC 2010",
        "lsp/joints.mat, lsp/images/im0001.jpg ..",
        people=(("train", 1000), ("test", 1000)),
        joints=(OCCLUDED, 2044),
    ),
    Source(
        "lspet",
        "Leeds Sports Pose extended",
        (Archive("http://sam.johnson.io/research/lspet_dataset.zip"),),
        "for research; none is stated",
        "not published",
        "Johnson and Everingham: Learning Effective Human Pose Estimation from Inaccurate Annotation. CVPR 2011",
        "lspet/joints.mat, lspet/images/im00001.jpg ..",
        people=(("train", 10000),),
        joints=(ABSENT, 16787),
    ),
    Source(
        "flic",
        "Frames Labeled In Cinema",
        (),
        "for research; none is stated",
        "not published",
        "Sapp and Taskar: MODEC: Multimodal Decomposable Models for Human Pose Estimation. CVPR 2013",
        "by hand: the images of FLIC.zip, linked from https://bensapp.github.io/flic-dataset.html, to flic/images/; "
        "the six files of data/flic/annot in github.com/princeton-vl/pose-hg-train, revision 9442c50 (no longer in its HEAD), to flic/annot/",
        people=(("train", 3987), ("valid", 1016)),
    ),
    Source(
        "coco",
        "COCO 2017, person keypoints",
        (
            Archive(_COCO_URL + "annotations/annotations_trainval2017.zip", "md5:f4bbac642086de4f52a3fdda2de5fa2c"),
            Archive(_COCO_URL + "zips/val2017.zip", "md5:442b8da7639aecaf257c1dceb8ba8c80"),
            Archive(_COCO_URL + "zips/train2017.zip", "md5:cced6f7f71b7629ddf16f17bbcfab6b2"),
        ),
        "labels CC BY 4.0; images under Flickr's terms",
        "20.4 GB",
        "Lin et al.: Microsoft COCO: Common Objects in Context. ECCV 2014",
        "coco/annotations/person_keypoints_{train,val}2017.json, coco/train2017/, coco/val2017/",
        people=(),
    ),
)

_LOADERS: dict[str, Callable[..., People]] = {
    "mpii": load_mpii,
    "lsp": load_lsp,
    "lspet": lambda folder, split, **options: load_lspet(folder, **options),
    "flic": load_flic,
    "coco": load_coco,
}


def list_sources() -> str:
    """One paragraph for each data set, for people to read; `SOURCES` holds the same as data."""
    return "\n\n".join(map(_paragraph, SOURCES))


def _paragraph(source: Source) -> str:
    origin = [archive.url for archive in source.archives] or ["no direct download"]
    lines = {"licence": [source.licence], "size": [source.size], "from": origin, "files": [source.layout], "cite": [source.citation]}
    return "\n".join([f"{source.name}: {source.title}"] + [f"  {key:8} {line}" for key, values in lines.items() for line in values])


def fetch(name: str, folder: str | Path, progress: bool = True) -> Path:
    """Download and unpack the data set `name` into <folder>/<name>, which is returned.

    An archive that an earlier call unpacked is not fetched again. Raises PaperlibError naming the address where a download fails, is cut short or has
    the wrong checksum, or where an archive is broken or has a member that would land outside the folder; nothing half-written is left in place.
    """
    source = _source(name)
    target = Path(folder) / name
    if not source.archives:
        raise PaperlibError(f"{source.title} has no direct download; {source.layout}")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for archive in source.archives:
            _fetch_archive(archive, target, progress)
    except OSError as error:
        raise PaperlibError(
            f"{error.filename or target}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        ) from error
    return target


def _fetch_archive(archive: Archive, target: Path, progress: bool) -> None:
    """The mark that an archive was unpacked whole is an empty file beside it."""
    name = archive.url.rsplit("/", 1)[-1]
    done = target / f".{name}.done"
    if done.exists():
        return
    pooch.get_logger().setLevel("ERROR")
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT)
    try:
        path = Path(pooch.retrieve(archive.url, archive.checksum, fname=name, path=target, downloader=downloader))
    except Exception as error:  # requests, urllib3 and pooch each have their own
        why = " ".join(str(error).split())
        raise PaperlibError(f"{archive.url}: download failed ({why}); try again, or put its contents into {target} by hand") from error
    _unpack(path, target, archive.url)
    done.touch()
    path.unlink()


def _unpack(path: Path, target: Path, url: str) -> None:
    """All of the archive into a temporary folder, then each file renamed into place. A broken archive is deleted, so that it is fetched anew."""
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=target) as temporary:
        try:
            for name, content in _members(path):
                if not stays_inside(name):
                    raise PaperlibError(f"{url}: its member '{name}' would land outside {target}; nothing was unpacked, do not trust this archive")
                file = Path(temporary) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                with open(file, "wb") as out:
                    shutil.copyfileobj(content, out, 1 << 20)
        except _BROKEN as error:
            path.unlink()
            raise PaperlibError(f"{url}: a broken archive, cut short or no archive at all ({error}); fetch it again") from error
        except PaperlibError:
            path.unlink()
            raise
        for file in sorted(Path(temporary).rglob("*")):
            place = target / file.relative_to(temporary)
            if file.is_dir():
                place.mkdir(exist_ok=True)
            else:
                os.replace(file, place)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(name, content) of every regular file in a .zip or .tar.gz; links and devices are passed over."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    with archive.open(info) as content:
                        yield info.filename, content
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, archive.extractfile(member)


def check(name: str, folder: str | Path) -> dict[str, Any]:
    """{"dataset", "people", "images", "problems": [{"file", "what"}]} of <folder>/<name>.

    People are counted by the loaders, whether or not their images are there; images are those of labelled people, on disk and with a sound header.
    Problems are missing and broken images, people left out, and counts other than the published ones. Raises PaperlibError as the loaders do.
    """
    source = _source(name)
    place = Path(folder) / name
    tables = {split: _LOADERS[name](place, split, need_images=False) for split in _splits(source, place)}
    paths = np.unique(np.concatenate([table.image for table in tables.values()]))
    problems = [{"file": path, "what": what} for path in paths.tolist() if (what := _image_problem(path))]
    images = len(paths) - len(problems)
    if len(paths) and len(problems) == len(paths) and not any(Path(path).exists() for path in paths):
        problems = [{"file": str(Path(paths[0]).parent), "what": f"none of the {len(paths)} images is there; see `paperlib data list`"}]
    problems += [{"file": str(place), "what": what} for what in _count_problems(source, tables)]
    return {"dataset": name, "people": sum(map(len, tables.values())), "images": images, "problems": problems}


def _source(name: str) -> Source:
    choose("data set", name, [source.name for source in SOURCES])
    return next(source for source in SOURCES if source.name == name)


def _splits(source: Source, place: Path) -> list[str]:
    """COCO is often there in part: the splits whose annotations are on disk, of the others all."""
    if source.name != "coco":
        return [split for split, _ in source.people]
    sample = ["test"] if (place / "test_coco.json").is_file() else []
    return [s for s in ("train", "val") if (place / f"annotations/person_keypoints_{s}2017.json").is_file()] + sample or ["train"]


def _image_problem(path: str) -> str | None:
    if not Path(path).is_file():
        return "image missing"
    try:
        image_size(path)
    except PaperlibError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def _count_problems(source: Source, tables: dict[str, People]) -> Iterator[str]:
    for split, table in tables.items():
        for why, count in table.left_out.items():
            if source.name != "coco" or why not in ("crowd", "no joint labelled"):
                yield f"{split}: {count} people left out: {why}"
    for split, published in source.people:
        if len(tables[split]) != published:
            yield f"{split}: {len(tables[split])} people, published are {published}"
    if source.joints:
        state, published = source.joints
        found = sum(int((table.state == state).sum()) for table in tables.values())
        if found != published:
            yield f"{found} joints are {'absent' if state == ABSENT else 'occluded'}, published are {published}"
