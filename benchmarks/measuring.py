"""What the benchmarks share: the best of several repeats, by the clock and by the processor, and
one CSV a device that says what was measured."""

import csv
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

import paperlib
import paperlib.device


def one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def best(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Elapsed and CPU seconds of `run`, the least of each: others may use the machine."""
    seconds = []
    for _ in range(repeats):
        started, busy = time.perf_counter(), time.process_time()
        run()
        seconds.append((time.perf_counter() - started, time.process_time() - busy))
    return tuple(map(min, zip(*seconds, strict=True)))


def device_name(device: str) -> str:
    """The GPU's name, or the CPU's model and what it computes with: "Intel(R) Xeon(R) Processor,
    AVX512, native bf16"."""
    known = paperlib.device.device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if (
        device != "cpu"
        or not cpuinfo.exists()
        or not (found := re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()))
    ):
        return known
    return ", ".join([found[1], *known.split(", ")[1:-1]])


def write_rows(rows: list[dict], name: str, device: str, folder: Path, key: str = "") -> Path:
    """`rows` with device and versions beside each, as `folder`/`name`-DEVICE.csv. With `key`, a
    column, the rows already in the file stay, except those that `rows` has anew."""
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }
    common = {
        "device": device_name(device),
        "threads": 1,
        "paperlib": paperlib.__version__,
    } | versions
    slug = re.sub(r"[^a-z0-9]+", "-", common["device"].lower()).strip("-")
    file = folder / f"{name}-{slug}.csv"
    rows = [row | common for row in rows]
    if key and file.exists():
        anew = {row[key] for row in rows}
        with file.open(newline="") as table:
            rows = [row for row in csv.DictReader(table) if row[key] not in anew] + rows
    columns = dict.fromkeys(key for row in rows for key in row if key not in common) | common
    with file.open("w", newline="") as table:
        writer = csv.DictWriter(table, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file
