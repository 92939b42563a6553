"""The numbers that both papers print: what ours are held against. The CSV files beside this one are
the data; see their column `source`.

recipes.toml holds the settings that both papers train with, for the list of deviations to be held
against.
"""

import tomllib
from importlib.resources import files

import pandas as pd

from paperlib import PaperlibError

TABLES = ("r-tab1", "r-tab2", "r-tab3", "r-tab4", "h-tab1", "h-tab2")
# Where each table stands in its paper.
PLACES = {
    "r-tab1": ("table I", "sec. IV-A"),
    "r-tab2": ("table II", "sec. IV-C"),
    "r-tab3": ("table III", "sec. IV-C"),
    "r-tab4": ("table IV", "sec. IV-C"),
    "h-tab1": ("table 1", "sec. 4.1"),
    "h-tab2": ("table 2", "sec. 4.1"),
}


def numbers() -> pd.DataFrame:
    """Every printed number of both papers, a row each: paper (R or H), table ("text" for running
    text and captions), row, column, value, unit, qualifier ("about", "at most", ...) and place (the
    section). Those of R table IV are not its printed digits: they are "scored by others" from the
    methods' predictions, as their qualifier says (FACTS E)."""
    return pd.concat([*(_cells(name) for name in TABLES), _text()], ignore_index=True)


def table(name: str) -> pd.DataFrame:
    """A printed table by its artifact id, such as "r-tab1": one row a method, columns in percent.
    "r-tab3" counts parameters (FACTS B); "r-tab4" is not R's printed digits but scored by others
    (FACTS E). Raises PaperlibError for an unknown id."""
    if name.lower() not in TABLES:
        raise PaperlibError(f"no printed table {name!r}; there is {', '.join(TABLES)}")
    return _read(name.lower().replace("-", "_"))


def text_numbers() -> pd.DataFrame:
    """Numbers printed in running text and captions: paper (R or H), item, value, unit, qualifier
    ("about", "at most", ...) and source."""
    return _read("text_numbers").fillna({"unit": "", "qualifier": ""})


def recipes() -> dict:
    """What each paper trains with, by network ("recurrent", "hourglass"), part ("codec", "network",
    "recipe", "people") and setting; and codec and network of two systems that both compare with
    ("pose_machine", "error_feedback")."""
    return tomllib.loads((files(__package__) / "recipes.toml").read_text(encoding="utf-8"))


def _cells(name: str) -> pd.DataFrame:
    printed, (title, place) = table(name), PLACES[name]
    columns = (
        ["printed"]
        if name == "r-tab3"
        else [column for column in printed.columns if column not in ("method", "source")]
    )
    cells = (
        printed.melt("method", columns, "column", "value")
        .dropna(subset="value")
        .rename(columns={"method": "row"})
    )
    unit = "count" if name == "r-tab3" else "percent"
    qualifier = "scored by others" if name == "r-tab4" else ""
    return cells.assign(
        paper=name[0].upper(), table=title, unit=unit, qualifier=qualifier, place=place
    )[ORDER]


def _text() -> pd.DataFrame:
    text = text_numbers()
    place = [
        source.removeprefix(f"{paper} ")
        for paper, source in zip(text.paper, text.source, strict=True)
    ]
    return text.assign(table="text", row="", place=place).rename(columns={"item": "column"})[ORDER]


ORDER = ["paper", "table", "row", "column", "value", "unit", "qualifier", "place"]


def _read(stem: str) -> pd.DataFrame:
    with (files(__package__) / f"{stem}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
