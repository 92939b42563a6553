"""The arrays and texts in a file: .h5, .mat (v5 or v7.3), .npz, .npy; tables and JSON too.

Arrays in groups and structs are called "group/name" and "struct.field". The cells of a MATLAB cell
array, or one field of an array of structs, are stacked, people first.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from paperlib import PaperlibError
from paperlib.files.json_points import json_content
from paperlib.files.tables import Block, block_of
from paperlib.files.text_tables import table_of_text
from paperlib.skeleton import Skeleton

KINDS = (".h5", ".hdf5", ".mat", ".npz", ".npy", ".json", ".csv", ".tsv")
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")


def check_file(path: Path) -> None:
    """Raises PaperlibError if `path` is not there, or of a kind that is not read."""
    kind = path.suffix.lower()
    if kind in _PICKLES:
        raise PaperlibError(
            f"{path}: a pickle, which may run code as it is read; save the points alone, "
            "numpy.save('points.npy', points) or a .csv"
        )
    if kind not in KINDS:
        raise PaperlibError(
            f"{path}: unknown kind of file {path.suffix!r}; give one of {', '.join(KINDS)}"
        )
    if not path.is_file():
        what = "a folder; name the file in it" if path.is_dir() else "there is no such file"
        raise PaperlibError(f"{path}: {what}")


def read_content(path: Path, skeleton: Skeleton, gaps: bool) -> tuple[Block | None, dict, dict]:
    """(a block whose people and joints are settled, or None; numeric arrays; lists of text).

    `gaps`: an empty cell of a table is an absent joint. Raises PaperlibError for a file that cannot
    be read as what its name says, and for one that holds Python objects.
    """
    readers = {
        ".h5": _h5,
        ".hdf5": _h5,
        ".mat": _mat,
        ".npz": _npz,
        ".npy": _npy,
        ".json": lambda file: json_content(file, skeleton, gaps),
        ".csv": lambda file: _text(file, skeleton, gaps),
        ".tsv": lambda file: _text(file, skeleton, gaps),
    }
    check_file(path)
    try:
        found = readers[path.suffix.lower()](path)
    except PaperlibError:
        raise
    except Exception as why:  # a damaged file makes each library fail in its own way
        text = " ".join(str(why).split())[:120]
        if "allow_pickle" in str(why):
            raise PaperlibError(
                f"{path}: holds Python objects (an array of dtype object), which may run code as "
                "they are read; save one array of numbers, numpy.stack(list), instead"
            ) from why
        raise PaperlibError(
            f"{path}: cannot be read as {path.suffix}; it may be damaged or mislabelled "
            f"({type(why).__name__}: {text})"
        ) from why
    if found[0] is not None:
        return found
    _, items, texts = found
    arrays = {n: array for n, array in items.items() if array.dtype.kind in "iuf" and array.ndim}
    return None, arrays, texts


def _sorted(items: Iterator[tuple[str, object]]) -> tuple[None, dict, dict]:
    arrays, texts = {}, {}
    for name, item in items:
        (texts if isinstance(item, list) else arrays)[name] = item
    return None, arrays, texts


def _text(path: Path, skeleton: Skeleton, gaps: bool) -> tuple[Block, dict, dict]:
    return block_of(table_of_text(path.read_bytes()), path, skeleton, gaps), {}, {}


def _npz(path: Path) -> tuple[None, dict, dict]:
    with np.load(path) as file:
        return _sorted(item for name in file.files for item in _numpy_items(name, file[name]))


def _npy(path: Path) -> tuple[None, dict, dict]:
    return _sorted(_numpy_items("points", np.load(path)))


def _numpy_items(name: str, array: np.ndarray) -> Iterator[tuple[str, object]]:
    if array.dtype.names:  # a structured array
        for field in array.dtype.names:
            yield f"{name}.{field}", array[field]
    elif array.dtype.kind in "US":
        yield name, [_decoded(item) for item in array.ravel()]
    else:
        yield name, array


def _decoded(item) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _h5(path: Path) -> tuple[None, dict, dict]:
    with h5py.File(path) as file:
        return _sorted(_h5_items(file, file, "", False))


def _h5_items(file: h5py.File, group, before: str, matlab: bool) -> Iterator[tuple[str, object]]:
    """Every dataset in every group. `matlab`: v7.3, which stores axes in reverse and a cell array
    as references."""
    for key, item in group.items():
        name = f"{before}{key}"
        if isinstance(item, h5py.Group):
            if key != "#refs#":
                yield from _h5_items(file, item, f"{name}/", matlab)
            continue
        if h5py.check_ref_dtype(item.dtype):
            cells = [file[reference] for reference in item[()].ravel() if reference]
            yield from _cells(name, [_h5_cell(c) for c in cells if isinstance(c, h5py.Dataset)])
        elif item.dtype.kind in "OS" or item.dtype.names:
            held = item[()]
            if item.dtype.names:
                yield from _numpy_items(name, held)
            elif np.ndim(held) and all(isinstance(one, (str, bytes)) for one in np.ravel(held)):
                yield name, [_decoded(one) for one in np.ravel(held)]
        elif item.shape:
            yield name, item[()].T if matlab else item[()]


def _h5_cell(cell: h5py.Dataset):
    held = cell[()]
    if _decoded(cell.attrs.get("MATLAB_class", b"")) == "char":
        return "".join(map(chr, np.ravel(held)))
    return np.empty((0, 0)) if "MATLAB_empty" in cell.attrs else held.T


def _mat(path: Path) -> tuple[None, dict, dict]:
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return _sorted(_h5_items(file, file, "", True))
    held = scipy.io.loadmat(path)
    arrays = {name: item for name, item in held.items() if isinstance(item, np.ndarray)}
    return _sorted(item for name, array in arrays.items() for item in _mat_items(name, array))


def _mat_items(name: str, array: np.ndarray) -> Iterator[tuple[str, object]]:
    """The arrays in a variable: itself, the fields of a struct, or the stacked cells of a cell
    array or of an array of structs."""
    if array.dtype.names:
        for field in array.dtype.names:
            yield from _cells(f"{name}.{field}", [one[field] for one in array.ravel(order="F")])
    elif array.dtype.kind == "O":
        yield from _cells(name, list(array.ravel(order="F")))
    elif array.dtype.kind in "US":
        yield name, [str(item) for item in array.ravel()]
    else:
        yield name, array


def _cells(name: str, cells: list) -> Iterator[tuple[str, object]]:
    """Cells of one shape become one array, people first; an empty one is a person not detected."""
    texts = [cell if isinstance(cell, str) else _text_of(cell) for cell in cells]
    if cells and all(text is not None for text in texts):
        yield name, texts
        return
    cells = [np.asarray(cell) for cell in cells]
    if len(cells) == 1:
        yield from _mat_items(name, cells[0])
        return
    if cells and all(cell.dtype.names for cell in cells):
        names = [
            field for field in cells[0].dtype.names if all(field in c.dtype.names for c in cells)
        ]
        for field in names:
            inner = [cell.ravel()[0][field] for cell in cells if cell.size]
            yield from _cells(f"{name}.{field}", inner)
        return
    shapes = {cell.shape for cell in cells if cell.size}
    if len(shapes) == 1 and all(cell.dtype.kind in "iufb" for cell in cells):
        gone = np.full(next(iter(shapes)), np.nan)
        yield name, np.stack([cell if cell.size else gone for cell in cells])


def _text_of(cell) -> str | None:
    array = np.asarray(cell)
    return str(array.ravel()[0]) if array.dtype.kind in "US" and array.size == 1 else None
