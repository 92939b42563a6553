"""The data sets by name, one record each; sources.py says where their files come from."""

from collections.abc import Callable
from dataclasses import dataclass

from paperlib.data import coco, flic, lsp, mpii
from paperlib.people import People


@dataclass(frozen=True)
class DataSet:
    """`load` is called as load(folder, split, need_images=True, strict=False); `test` is the split
    that is measured, and `measured` its people in words; `labels` are the ways to tell left from
    right that its truths come in, the first the default: person-centric (pc) or
    observer-centric (oc)."""

    load: Callable[..., People]
    files: tuple[str, ...]  # names that its label file may have, the one to be read first
    test: str = ""  # none: all of it is for training
    measured: str = ""
    labels: tuple[str, ...] = ("pc",)


DATASETS = {
    "mpii": DataSet(mpii.load_mpii, mpii.FILES, "valid", "MPII validation"),
    "lsp": DataSet(lsp.load_lsp, lsp.FILES, "test", "LSP test", ("pc", "oc")),
    "lspet": DataSet(lambda folder, split, **options: lsp.load_lspet(folder, **options), lsp.FILES),
    "flic": DataSet(flic.load_flic, flic.FILES, "valid", "FLIC test", ("oc", "pc")),
    "coco": DataSet(coco.load_coco, coco.FILES, "val", "COCO validation"),
}
