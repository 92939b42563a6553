"""The numbers that both papers print, as tables: what ours are held against. The CSV files beside this one are the data; see `source`."""

from importlib.resources import files

import pandas as pd

from paperlib import PaperlibError

TABLES = ("r-tab1", "r-tab2", "r-tab3", "r-tab4", "h-tab1", "h-tab2")


def table(name: str) -> pd.DataFrame:
    """A printed table by its artifact id, such as "r-tab1": one row a method, columns in percent. "r-tab3" counts parameters (FACTS B);
    "r-tab4" is recomputed, because its digits did not survive in the paper's text (FACTS E). Raises PaperlibError for an unknown id."""
    if name.lower() not in TABLES:
        raise PaperlibError(f"no printed table {name!r}; there is {', '.join(TABLES)}")
    return _read(name.lower().replace("-", "_"))


def text_numbers() -> pd.DataFrame:
    """Numbers printed in running text and captions: paper (R or H), item, value, unit, qualifier ("about", "at most", ...) and source."""
    return _read("text_numbers").fillna({"unit": "", "qualifier": ""})


def _read(stem: str) -> pd.DataFrame:
    with (files(__package__) / f"{stem}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
