"""The data sets by name: one record each. `load(folder, split)` gives its people; sources.py says
where its files come from, and files.py what its label files are called.
"""

from collections.abc import Callable
from dataclasses import dataclass

from paperlib.data.coco import load_coco
from paperlib.data.flic import load_flic
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii
from paperlib.people import People


@dataclass(frozen=True)
class DataSet:
    """`load` is called as load(folder, split, need_images=True, strict=False); `test` is the split
    that is measured, and `measured` its people in words; `labels` are the ways to tell left from
    right that its truths come in, the first the default: person-centric (pc) or
    observer-centric (oc)."""

    load: Callable[..., People]
    test: str = ""  # none: all of it is for training
    measured: str = ""
    labels: tuple[str, ...] = ("pc",)


DATASETS = {
    "mpii": DataSet(load_mpii, "valid", "MPII validation"),
    "lsp": DataSet(load_lsp, "test", "LSP test", ("pc", "oc")),
    "lspet": DataSet(lambda folder, split, **options: load_lspet(folder, **options)),
    "flic": DataSet(load_flic, "valid", "FLIC test", ("oc", "pc")),
    "coco": DataSet(load_coco, "val", "COCO validation"),
}
