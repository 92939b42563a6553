"""A reproducible companion to two papers on 2D human pose: R (recurrent, FG 2017) and H (stacked
hourglass, ECCV 2016)."""

__version__ = "0.1.0"


class PaperlibError(Exception):
    """What a person can mend: one line that names the file, the value and the way out. The command
    line prints it without a traceback."""
