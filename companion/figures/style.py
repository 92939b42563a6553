"""The house style: one set of colours that colour-blind readers can tell apart, one font size, the
same bytes at every drawing."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib

# Okabe and Ito's palette, in an order in which neighbours differ in lightness too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
LEFT, RIGHT, MIDDLE = "#0072B2", "#D55E00", "#E5E5E5"  # limbs of a skeleton
HEAT = "magma"
GRID = {"color": "#E5E5E5", "linewidth": 0.6}


@contextmanager
def plain_style() -> Iterator[None]:
    """A context with matplotlib's own defaults, whatever a user's style files and settings say."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


@contextmanager
def house_style() -> Iterator[None]:
    """A context in which every figure is drawn and saved."""
    ours = {
        "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "figure.dpi": 100,
        "savefig.dpi": 110,
        "savefig.bbox": "tight",
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.titlesize": 9,
        "legend.frameon": False,
        "svg.hashsalt": "paperlib",
        "image.interpolation": "nearest",
        "figure.max_open_warning": 0,
    }
    with plain_style(), matplotlib.rc_context(ours):
        yield
