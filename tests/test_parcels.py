"""Parcels: cut into parts, sent in any order, put back whole or not at all."""

import json
import shutil

import numpy as np
import pytest

from paperlib import PaperlibError
from paperlib.reproduce.parcels import collect, deliver, pack, unpack


@pytest.fixture
def parcel(tmp_path):
    """Three files, one larger than a part and one empty, in parts of 20,000 bytes."""
    content = {"b/large": np.random.default_rng(0).bytes(70_001), "a.txt": b"small", "c/none": b""}
    file = tmp_path / "large"
    file.write_bytes(content["b/large"])
    pack(content | {"b/large": file}, tmp_path / "parcel", part_mb=0.02)
    return tmp_path / "parcel", content


def parts(folder):
    return sorted(path.name for path in folder.glob("part-*"))


def test_it_comes_out_as_it_went_in(parcel, tmp_path):
    folder, content = parcel
    assert len(parts(folder)) >= 4 and all((folder / name).stat().st_size <= 20_000 for name in parts(folder))
    assert sorted(unpack(folder, tmp_path / "out")) == sorted(content)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in content} == content


def test_the_same_files_give_the_same_bytes(parcel, tmp_path):
    folder, content = parcel
    pack(content, tmp_path / "again", part_mb=0.02)
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_parts_arrive_over_several_calls_in_any_order(parcel, tmp_path):
    folder, content = parcel
    starts, start = [], 1
    while start:
        starts.append(start)
        start = deliver(folder, tmp_path / f"call-{start}", start, most=2)
    assert len(starts) == -(-len(parts(folder)) // 2)
    assert all(len(parts(tmp_path / f"call-{start}")) <= 2 for start in starts)
    for start in reversed(starts):
        waiting, missing = collect(tmp_path / f"call-{start}", tmp_path / "inbox")
        assert bool(missing) == (start != 1)
    unpack(waiting, tmp_path / "out")
    assert (tmp_path / "out" / "b/large").read_bytes() == content["b/large"]


def test_a_damaged_part_is_named_and_nothing_is_written(parcel, tmp_path):
    folder, _ = parcel
    name = parts(folder)[1]
    data = bytearray((folder / name).read_bytes())
    data[100] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(PaperlibError, match=f"{name}: not the part"):
        collect(folder, tmp_path / "inbox")
    with pytest.raises(PaperlibError, match="did not arrive|cannot be unpacked"):  # without collect's look at the parts
        unpack(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("*.part"))


def test_a_missing_part_leaves_nothing(parcel, tmp_path):
    folder, _ = parcel
    (folder / parts(folder)[-1]).unlink()
    assert collect(folder, tmp_path / "inbox")[1] == [name for name in json.loads((folder / "manifest.json").read_text())["parts"]][-1:]
    with pytest.raises(PaperlibError, match="cannot be unpacked"):
        unpack(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_manifest_is_one_clear_error(parcel, tmp_path):
    shutil.copy(parcel[0] / "part-01", tmp_path / "part-01")
    with pytest.raises(PaperlibError, match="manifest.json: not the manifest of a parcel"):
        collect(tmp_path, tmp_path / "inbox")


def test_a_name_that_leads_out_is_refused(tmp_path):
    pack({"../outside": b"x"}, tmp_path / "parcel")
    with pytest.raises(PaperlibError, match="cannot be unpacked"):
        unpack(tmp_path / "parcel", tmp_path / "out")
    assert not (tmp_path / "outside").exists()
