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
from paperlib.files.json_points import json_items
from paperlib.files.points import File, Points
from paperlib.files.tables import points_of
from paperlib.files.text_tables import table_of_text

Item = tuple[str, Points | np.ndarray | list[str]]
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")


def check_file(path: Path) -> None:
    """Raises PaperlibError if `path` is not there, or of a kind that is not read."""
    kind = path.suffix.lower()
    if kind in _PICKLES:
        raise PaperlibError(
            f"{path}: a pickle, which may run code as it is read; save the points alone, "
            "numpy.save('points.npy', points) or a .csv"
        )
    if kind not in _READERS:
        raise PaperlibError(
            f"{path}: unknown kind of file {path.suffix!r}; give one of {', '.join(_READERS)}"
        )
    if not path.is_file():
        what = "a folder; name the file in it" if path.is_dir() else "there is no such file"
        raise PaperlibError(f"{path}: {what}")


def read_content(file: File) -> dict[str, Points | np.ndarray | list[str]]:
    """The content of the file by name: points that are sorted by name already, alone; or numeric
    arrays and lists of text.

    Raises PaperlibError for a file that cannot be read as what its name says, and for one that
    holds Python objects.
    """
    check_file(file.path)
    kind = file.path.suffix
    try:
        return dict(_READERS[kind.lower()](file))
    except PaperlibError:
        raise
    except Exception as why:  # a damaged file makes each library fail in its own way
        if "allow_pickle" in str(why):
            raise file.error(
                "holds Python objects (an array of dtype object), which may run code as they are "
                "read; save one array of numbers, numpy.stack(list), instead"
            ) from why
        text = " ".join(str(why).split())[:120]
        raise file.error(
            f"cannot be read as {kind}; it may be damaged or mislabelled "
            f"({type(why).__name__}: {text})"
        ) from why


def _text(file: File) -> Iterator[Item]:
    yield "points", points_of(file, table_of_text(file.path.read_bytes()))


def _npz(file: File) -> Iterator[Item]:
    with np.load(file.path) as arrays:
        for name in arrays.files:
            yield from _items(name, arrays[name])


def _npy(file: File) -> Iterator[Item]:
    yield from _items("points", np.load(file.path))


def _mat(file: File) -> Iterator[Item]:
    if h5py.is_hdf5(file.path):
        yield from _h5(file, matlab=True)
    else:
        for name, item in scipy.io.loadmat(file.path).items():
            if isinstance(item, np.ndarray):
                yield from _items(name, item)


def _h5(file: File, matlab: bool = False) -> Iterator[Item]:
    with h5py.File(file.path) as root:
        yield from _in_group(root, "", matlab)


def _in_group(group: h5py.Group, before: str, matlab: bool) -> Iterator[Item]:
    """Every dataset in every group. `matlab`: v7.3, which stores axes in reverse and a cell array
    as references."""
    for key, item in group.items():
        if isinstance(item, h5py.Group):
            if key != "#refs#":
                yield from _in_group(item, f"{before}{key}/", matlab)
        elif h5py.check_ref_dtype(item.dtype):
            cells = [item.file[reference] for reference in item[()].ravel() if reference]
            cells = [_h5_cell(cell) for cell in cells if isinstance(cell, h5py.Dataset)]
            yield from _cells(f"{before}{key}", cells)
        else:
            held = np.asarray(item[()])
            yield from _items(f"{before}{key}", held.T if matlab else held)


def _h5_cell(cell: h5py.Dataset):
    held = cell[()]
    if _decoded(cell.attrs.get("MATLAB_class", b"")) == "char":
        return "".join(map(chr, np.ravel(held)))
    return np.empty((0, 0)) if "MATLAB_empty" in cell.attrs else held.T


_READERS = {".h5": _h5, ".hdf5": _h5, ".mat": _mat, ".npz": _npz, ".npy": _npy}
_READERS |= {".json": json_items, ".csv": _text, ".tsv": _text}


def _items(name: str, array: np.ndarray) -> Iterator[Item]:
    """The arrays in a variable: itself, the fields of a struct, or the stacked cells of a cell
    array or of an array of structs."""
    if array.dtype.names:
        for field in array.dtype.names:
            yield from _cells(f"{name}.{field}", [one[field] for one in array.ravel(order="F")])
    elif array.dtype.kind == "O":
        yield from _cells(name, list(array.ravel(order="F")))
    elif array.dtype.kind in "US":
        yield name, [_decoded(item) for item in array.ravel()]
    elif array.dtype.kind in "iuf" and array.ndim:
        yield name, array


def _decoded(item) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _cells(name: str, cells: list) -> Iterator[Item]:
    """Cells of one shape become one array, people first; an empty one is a person not detected."""
    cells = [np.asarray(cell) for cell in cells]
    if all(cell.dtype.kind in "US" and cell.size == 1 for cell in cells):
        yield name, [_decoded(cell.item()) for cell in cells]
    elif len(cells) == 1 and cells[0].ndim:
        yield from _items(name, cells[0])
    elif cells and all(cell.dtype.names for cell in cells):
        shared = set.intersection(*(set(cell.dtype.names) for cell in cells))
        for field in (name for name in cells[0].dtype.names if name in shared):
            inner = [cell.ravel()[0][field] for cell in cells if cell.size]
            yield from _cells(f"{name}.{field}", inner)
    else:
        shapes = {cell.shape for cell in cells if cell.size}
        if len(shapes) == 1 and all(cell.dtype.kind in "iufb" for cell in cells):
            gone = np.full(shapes.pop(), np.nan)
            yield from _items(name, np.stack([cell if cell.size else gone for cell in cells]))
