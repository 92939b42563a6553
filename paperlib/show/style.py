"""The house style: one set of colours that colour-blind readers can tell apart, one font size, the same bytes at every drawing."""

import matplotlib
from matplotlib import pyplot as plt

# Okabe and Ito's palette, in an order in which neighbours differ in lightness too.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
LEFT, RIGHT, MIDDLE = "#0072B2", "#D55E00", "#E5E5E5"  # limbs of a skeleton
HEAT = "magma"


def house_style():
    """A context in which every figure is drawn and saved."""
    return plt.rc_context(
        {
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
        }
    )
