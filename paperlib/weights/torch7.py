"""Files of Lua's `torch.save`, read without Lua: numbers, strings, tables, tensors and objects.

The binary format is that of torch7's File.lua, Tensor.c and Storage.c, on a machine with 64-bit
longs, little end first. Nothing in a file is run: a function is skipped, and an object of any
class is no more than its fields.
"""

import re
import struct
import sys
from pathlib import Path

import numpy as np

from paperlib import PaperlibError

DEEPEST = 50_000  # calls: a graph of modules is written as one long chain of references
TYPES = {"Byte": "u1", "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8"}
TYPES |= {"Half": "<f2", "Float": "<f4", "Double": "<f8", "": "<f4"}  # torch.CudaTensor: float


class Table(dict):
    """A Lua table, or an object's fields with its class as `kind`. Itself a key, as in Lua."""

    kind = ""
    __hash__ = object.__hash__

    __eq__, __ne__ = object.__eq__, object.__ne__

    def in_order(self) -> list:
        """What stands under 1, 2, 3 and so on."""
        count = next(n for n in range(len(self) + 1) if n + 1 not in self)
        return [self[n + 1] for n in range(count)]


def read_torch7(path: Path):
    """The one object in the file: a Table, a numpy array, a number, a string, a bool or None.

    Raises PaperlibError for a file that is cut short or is something else.
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST))
    try:
        return _Reader(path.read_bytes()).value()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise PaperlibError(
            f"{path}: not a whole binary file of Lua's torch.save ({error}); fetch it again, "
            "or save it with torch.save(name, model) on a 64-bit machine"
        ) from error
    finally:
        sys.setrecursionlimit(before)


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at, self.seen = data, 0, {}

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError(f"{count} bytes wanted at byte {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, code: str):
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self) -> str:
        return self.take(self.number("i")).decode("latin-1")

    def value(self):
        match self.number("i"):
            case 0:
                return None
            case 1:
                return self.number("d")
            case 2:
                return self.text()
            case 5:
                return self.number("i") == 1
            case 6:
                return self.function()
            case 3 | 4 | 7 | 8 as kind:  # written in full once, then as the same index
                index = self.number("i")
                return self.seen[index] if index in self.seen else self.new(kind, index)
            case kind:
                raise ValueError(f"kind {kind} at byte {self.at - 4}")

    def new(self, kind: int, index: int):
        self.seen[index] = found = Table()
        if kind == 3:
            for _ in range(self.number("i")):
                key, value = self.value(), self.value()
                found[key] = value
        elif kind == 4:
            name = self.text()
            found.kind = self.text() if name.startswith("V ") else name
            if array := re.fullmatch(r"torch\.(?:Cuda)?(\w*?)(Tensor|Storage)", found.kind):
                read = self.tensor if array[2] == "Tensor" else self.storage
                self.seen[index] = found = read(TYPES[array[1]])
            else:
                found.update(self.value())
        else:
            self.function()
        return found

    def function(self) -> None:
        self.text()  # what it does, compiled
        self.value()  # what it refers to

    def storage(self, dtype: str) -> np.ndarray:
        return np.frombuffer(self.take(self.number("q") * np.dtype(dtype).itemsize), dtype)

    def tensor(self, dtype: str) -> np.ndarray:
        dims = self.number("i")
        shape, steps = np.frombuffer(self.take(16 * dims), "<i8").reshape(2, dims).tolist()
        first, numbers = self.number("q") - 1, self.value()
        if numbers is None or not dims:
            return np.empty(0, dtype)
        last = first + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
        if min(first, *steps) < 0 or min(shape) < 1 or last >= len(numbers):
            raise ValueError(f"a tensor of {shape} in {len(numbers)} numbers")
        strides = [step * numbers.itemsize for step in steps]
        return np.lib.stride_tricks.as_strided(numbers[first:], shape, strides).copy()
