"""The data sets by name, one record each; sources.py says where their files come from."""

from collections.abc import Callable
from dataclasses import dataclass

from paperlib.data import coco, flic, lsp, mpii
from paperlib.people import People


@dataclass(frozen=True)
class DataSet:
    """What is to be known of a data set to load and measure it."""

    load: Callable[..., People]  # called as load(folder, split, need_images=True, strict=False)
    files: tuple[str, ...]  # names that its label file may have, in the order of preference
    test: str = ""  # the split that is measured; none: all of it is for training
    measured: str = ""  # the people of that split, in words
    # left and right in its truths: person-centric (pc) or observer-centric (oc), the default first
    labels: tuple[str, ...] = ("pc",)


DATASETS = {
    "mpii": DataSet(mpii.load_mpii, mpii.FILES, "valid", "MPII validation"),
    "lsp": DataSet(lsp.load_lsp, lsp.FILES, "test", "LSP test", ("pc", "oc")),
    "lspet": DataSet(lambda folder, split, **options: lsp.load_lspet(folder, **options), lsp.FILES),
    "flic": DataSet(flic.load_flic, flic.FILES, "valid", "FLIC test", ("oc", "pc")),
    "coco": DataSet(coco.load_coco, coco.FILES, "val", "COCO validation"),
}
