"""The loader of each data set, all called alike: load(folder, split, need_images=True,
strict=False) -> People."""

from collections.abc import Callable

from paperlib.data.coco import load_coco
from paperlib.data.flic import load_flic
from paperlib.data.lsp import load_lsp, load_lspet
from paperlib.data.mpii import load_mpii
from paperlib.people import People

LOADERS: dict[str, Callable[..., People]] = {
    "mpii": load_mpii,
    "lsp": load_lsp,
    "lspet": lambda folder, split, **options: load_lspet(
        folder, **options
    ),  # all of it is for training
    "flic": load_flic,
    "coco": load_coco,
}
