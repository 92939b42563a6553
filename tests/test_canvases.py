"""The cache of canvases: built once, by one of several, after a kill where it was, and never
believed without its log."""

import csv
import errno
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from paperlib import PaperlibError
from paperlib.codecs import HourglassCodec, RecurrentCodec
from paperlib.data import canvases as module
from paperlib.data.canvases import Canvases, canvas_boxes, load_canvases
from paperlib.data.crops import Crops
from paperlib.geometry import crop_affine

SIDE, CANVAS = 64, 96


@pytest.fixture(scope="module")
def people(tiny):
    return tiny.people("mpii", "train")


def test_a_broken_image_leaves_its_person_out_and_is_named(people, tmp_path):
    paths = np.array([str(path) for path in people.image[:4]], dtype=object)
    broken, gone = tmp_path / "broken.jpg", tmp_path / "gone.jpg"
    broken.write_bytes(Path(paths[1]).read_bytes()[:300])
    paths[1], paths[3] = str(broken), str(gone)
    four = replace(people.select(slice(4)), image=paths.astype(str))
    canvases = load_canvases(four, CANVAS, tmp_path / "canvases", progress=False)
    assert canvases.readable.tolist() == [True, False, True, False]
    assert len(canvases.problems) == 2 and all(
        any(name in line for line in canvases.problems) for name in ("broken.jpg", "gone.jpg")
    )
    crops = Crops(four, canvases, RecurrentCodec(side=SIDE))
    np.testing.assert_array_equal(crops.people.image, paths[[0, 2]])
    whole = Crops(
        people,
        load_canvases(people, CANVAS, tmp_path / "canvases", progress=False),
        RecurrentCodec(side=SIDE),
    )
    assert torch.equal(crops.batch(np.array([1])).images, whole.batch(np.array([2])).images)


def test_without_a_single_image_there_is_one_clear_error(people, tmp_path):
    nowhere = replace(
        people.select(slice(3)), image=np.array([str(tmp_path / f"{i}.jpg") for i in range(3)])
    )
    with pytest.raises(PaperlibError, match="none of 3 images can be read.*0.jpg"):
        load_canvases(nowhere, CANVAS, tmp_path / "canvases", progress=False)


def test_a_second_load_reads_no_image(people, tmp_path, monkeypatch):
    first = load_canvases(people, CANVAS, tmp_path, progress=False)
    monkeypatch.setattr(module, "_build", lambda *_: pytest.fail("built again"))
    second = load_canvases(people, CANVAS, tmp_path, progress=False)
    assert second.sha256 == first.sha256 and np.array_equal(second.pixels, first.pixels)
    with pytest.raises(pytest.fail.Exception, match="built again"):
        load_canvases(people, CANVAS + 2, tmp_path, progress=False)
    with pytest.raises(pytest.fail.Exception, match="built again"):
        load_canvases(people.select(slice(1, None)), CANVAS, tmp_path, progress=False)


def test_workers_do_not_change_a_pixel(people, tmp_path):
    one, two = (
        load_canvases(people, CANVAS, tmp_path / str(jobs), jobs, progress=False) for jobs in (1, 2)
    )
    assert one.sha256 == two.sha256


def test_an_image_that_is_fetched_again_is_cut_again(people, tmp_path):
    path = tmp_path / "late.jpg"
    two = replace(people.select(slice(2)), image=np.array([people.image[0], str(path)]))
    assert load_canvases(two, CANVAS, tmp_path / "cache", progress=False).readable.tolist() == [
        True,
        False,
    ]
    path.write_bytes(Path(people.image[1]).read_bytes())
    assert load_canvases(two, CANVAS, tmp_path / "cache", progress=False).readable.all()


def test_a_disk_too_small_is_one_clear_error_before_anything_is_cut(people, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=500_000))
    monkeypatch.setattr(module, "_cut_chunk", lambda _: pytest.fail("began to cut"))
    with pytest.raises(
        PaperlibError,
        match="pixels.npy: 1 MB of canvases cannot be written .0 MB are free, 1 MB are "
        "needed.; free some",
    ):
        load_canvases(people, CANVAS, tmp_path, progress=False)


def test_a_disk_that_fills_up_is_one_clear_error_and_the_build_goes_on_later(
    people, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "CHUNK", 8)
    cut, calls = module._cut_chunk, []

    def full_at_the_third(work):
        calls.append(work)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return cut(work)

    monkeypatch.setattr(module, "_cut_chunk", full_at_the_third)
    with pytest.raises(
        PaperlibError,
        match="pixels.npy: 1 MB of canvases cannot be written .No space left on device.; free "
        "some disk space",
    ):
        load_canvases(people, CANVAS, tmp_path / "cache", progress=False)
    before = len(calls)
    again = load_canvases(people, CANVAS, tmp_path / "cache", progress=False)
    assert len(calls) - before == len(people) // 8 - 2  # the first two are not cut again
    assert again.sha256 == load_canvases(people, CANVAS, tmp_path / "fresh", progress=False).sha256


BUILDER = """
import pickle, sys, time
from pathlib import Path
from paperlib.data import canvases
cut, canvases.CHUNK = canvases._cut_chunk, 2
def slowly(work):
    time.sleep(0.03)
    with open(sys.argv[4], "a") as file:
        file.write(f"{work[2].start}\\n")
    return cut(work)
canvases._cut_chunk = slowly
people = pickle.loads(Path(sys.argv[1]).read_bytes())
print("go", flush=True)
sys.stdin.readline()
print(canvases.load_canvases(people, int(sys.argv[2]), Path(sys.argv[3]), progress=False).sha256)
"""


@pytest.fixture
def builder(people, tmp_path):
    """Starts a process that builds the canvases of 32 people two by two, 30 ms apart, once told so;
    it notes in cut.txt whom it cuts."""
    (tmp_path / "people").write_bytes(pickle.dumps(people))
    command = [
        sys.executable,
        "-c",
        BUILDER,
        str(tmp_path / "people"),
        str(CANVAS),
        str(tmp_path / "cache"),
        str(tmp_path / "cut.txt"),
    ]
    started = []

    def start():
        started.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert started[-1].stdout.readline() == "go\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_build_goes_on_where_it_was(people, builder, tmp_path):
    rng, log = np.random.default_rng(), tmp_path / "cut.txt"
    log.touch()
    for until in rng.integers([1, 7], [7, 15]):  # chunks begun, of 16
        process = builder()
        process.stdin.write("\n")
        process.stdin.flush()
        while len(log.read_text().split()) < until:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        assert process.wait() == -signal.SIGKILL and not list(
            (tmp_path / "cache").rglob("canvases.json")
        )
    # the dead process holds no lock
    again = load_canvases(people, CANVAS, tmp_path / "cache", progress=False)
    fresh = load_canvases(people, CANVAS, tmp_path / "fresh", progress=False)
    assert again.sha256 == fresh.sha256 and again.readable.all()
    files = [
        [next(folder.rglob(name)).read_bytes() for name in ("pixels.npy", "canvases.json")]
        for folder in (tmp_path / "cache", tmp_path / "fresh")
    ]
    assert files[0] == files[1]
    cut = log.read_text().split()
    # a kill costs the chunk that is being cut and the one being noted down, not those before
    assert len(cut) <= len(set(cut)) + 4
    assert sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()) == [
        "canvases.json",
        "lock",
        "pixels.npy",
    ]


@pytest.mark.parametrize("cut_off", ["pixels", "line"])
def test_a_log_that_the_pixels_do_not_bear_out_is_not_believed(
    people, tmp_path, monkeypatch, cut_off
):
    """After a power cut the log may be on the disk and the pixels not; after a kill its last line
    may be torn."""
    monkeypatch.setattr(module, "CHUNK", 8)
    monkeypatch.setattr(
        module,
        "_cut_chunk",
        lambda work, cut=module._cut_chunk: cut(work) if work[2].stop < len(people) else 1 / 0,
    )
    with pytest.raises(ZeroDivisionError):
        load_canvases(people, CANVAS, tmp_path / "cache", progress=False)
    monkeypatch.undo()
    if cut_off == "pixels":
        with next((tmp_path / "cache").rglob("pixels.npy")).open("r+b") as file:
            file.seek(20 * CANVAS * CANVAS * 3)
            file.write(bytes(1000))
    else:
        log = next((tmp_path / "cache").rglob("chunks.jsonl"))
        log.write_text(log.read_text()[:-20])
    again = load_canvases(people, CANVAS, tmp_path / "cache", progress=False)
    fresh = load_canvases(people, CANVAS, tmp_path / "fresh", progress=False)
    np.testing.assert_array_equal(again.pixels, fresh.pixels)
    assert again.sha256 == fresh.sha256


def test_two_builders_build_once(people, builder, tmp_path):
    both = [builder(), builder()]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    found = [process.communicate(timeout=60)[0].strip() for process in both]
    assert (
        found[0]
        == found[1]
        == load_canvases(people, CANVAS, tmp_path / "fresh", progress=False).sha256
    )
    assert sorted((tmp_path / "cut.txt").read_text().split(), key=int) == [
        str(start) for start in range(0, len(people), 2)
    ]


def test_canvases_are_mapped_and_not_loaded(people, tmp_path):
    """MPII's 22,246 canvases of 384 px are 9.8 GB; cutting crops out of them all over the file
    takes no memory of the process's own."""
    n, side = 22_246, 384
    np.lib.format.open_memmap(
        tmp_path / "pixels.npy", mode="w+", dtype=np.uint8, shape=(n, side, side, 3)
    )  # sparse: no disk either
    many = people.select(np.arange(n) % len(people))
    canvases = Canvases(
        np.load(tmp_path / "pixels.npy", mmap_mode="r"),
        crop_affine(canvas_boxes(many, side), side),
        np.ones(n, bool),
        (),
        "",
    )
    crops, before = Crops(many, canvases, HourglassCodec()), anonymous_memory()
    for step in range(0, n, 400):
        crops.batch(np.arange(step, min(n, step + 400), 50))
    crops.batch(np.array([n - 1, 0]))
    assert len(crops) == n and anonymous_memory() - before < 50e6


def anonymous_memory() -> int:
    """Bytes that this process holds and that no file stands behind."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("reads /proc")
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status.read_text())[1])


@pytest.mark.slow
def test_building_many_canvases_takes_no_memory_for_each(tmp_path):
    """Of 800 people's 157 MB of canvases, and of the batches made of them, the process never holds
    more than a few; so neither of 22,246 people's."""
    script, settings = (
        Path(__file__).parents[1] / "benchmarks" / "memory.py",
        {"people": 800, "side": 256, "batches": 8},
    )
    options = [f"--{name}={value}" for name, value in settings.items()]
    environment = {name: value for name, value in os.environ.items() if name != "PAPERLIB_DATA"} | {
        "TMPDIR": str(tmp_path)
    }
    subprocess.run(
        [sys.executable, script, *options, "--out", tmp_path],
        check=True,
        timeout=240,
        env=environment,
    )
    (table,) = tmp_path.glob("memory-*.csv")
    before, building, batches = (float(row["memory_mb"]) for row in csv.DictReader(table.open()))
    assert building - before < 60 and batches - before < 250, (before, building, batches)
    assert {path.name for path in tmp_path.iterdir()} == {table.name}  # the canvases are deleted


@pytest.mark.slow
def test_the_benchmark_runs_without_official_files(tmp_path):
    script = Path(__file__).parents[1] / "benchmarks" / "data_path.py"
    subprocess.run(
        [
            sys.executable,
            script,
            "--people",
            "3",
            "--data",
            "noise",
            "--device",
            "cpu",
            "--out",
            tmp_path,
        ],
        check=True,
        timeout=120,
    )
    (table,) = tmp_path.glob("data-path-noise-*.csv")
    rows = {row["what"]: row for row in csv.DictReader(table.open())}
    stored = [path.read_text().splitlines()[0] for path in (script.parent).glob("data-path-*.csv")]
    assert stored and set(stored) == {table.read_text().splitlines()[0]}
    assert 0 < float(rows["warm"]["cpu_ms_per_person"]) < float(rows["cold"]["cpu_ms_per_person"])
    assert float(rows["22246 canvases mapped"]["memory_mb"]) < 1000
    for table in script.parent.glob("data-path-*.csv"):  # the page states what the tables hold
        milliseconds = {
            row["what"]: float(row["cpu_ms_per_person"] or 0)
            for row in csv.DictReader(table.open())
        }
        warm, cold, decoding = (
            milliseconds[what]
            for what in ("warm", "cold, one person an image", "decoding alone, one person an image")
        )
        assert (
            f"| {warm:.2f} | {cold:.1f} | {decoding:.1f} |"
            in (script.parent / "README.md").read_text()
        )
