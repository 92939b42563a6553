"""What a notebook has at hand: the study, and what keeps and shows its results. With it every room
that a notebook uses is loaded whole: after `from companion import figures` and an import from here,
`figures.pictures` is there by its name."""

import importlib
import pkgutil

from IPython.display import Image

from companion import drawn, figures, measure, published, samples
from companion.app import photos, pretrained
from companion.artifacts import evidence
from companion.artifacts.artifacts import light_copy, save_figure, save_table
from companion.artifacts.claims_file import write_claims
from companion.artifacts.table_formats import shown
from companion.execute.schedule import train_side_by_side
from companion.figures.source import show_source
from companion.runs.catalogue import catalogue
from companion.runs.study import Study

__all__ = [
    "Image",
    "Study",
    "catalogue",
    "evidence",
    "light_copy",
    "photos",
    "pretrained",
    "save_figure",
    "save_table",
    "show_source",
    "shown",
    "train_side_by_side",
    "write_claims",
]

for room in (drawn, figures, measure, published, samples):
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        importlib.import_module(module.name)
