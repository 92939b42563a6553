"""The printed tables are whole, and agree with themselves and with the published prediction
files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from companion.published import printed
from companion.published.claims import captions, claims
from paperlib import PaperlibError

GROUPS = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"]
# Annotated joints of the 2958 MPII validation people, left and right together (FACTS D.5).
COUNTS = np.array(
    [2932 + 2931, 2944 + 2944, 2935 + 2932, 2928 + 2909, 2889 + 2888, 2485 + 2478, 2115 + 2119]
)
ROWS = {"r-tab1": 8, "r-tab2": 10, "r-tab3": 5, "r-tab4": 14, "h-tab1": 6, "h-tab2": 6}


@pytest.mark.parametrize("name", printed.TABLES)
def test_tables_are_whole(name):
    table = printed.table(name)
    assert len(table) == ROWS[name] and table.method.is_unique and table.source.notna().all()
    if name != "r-tab3":
        assert (
            (table.drop(columns=["method", "source"]) > 30)
            & (table.drop(columns=["method", "source"]) < 100)
        ).all(axis=None)


@pytest.mark.parametrize("name", ["r-tab1", "r-tab2", "h-tab2"])
def test_a_total_is_its_columns_weighted_by_joint_counts(name):
    """To 0.1, as the columns are printed (FACTS E); the plain mean of the columns is another
    number."""
    table = printed.table(name)
    weighted = table[GROUPS].to_numpy() @ COUNTS / COUNTS.sum()
    np.testing.assert_allclose(weighted, table.total, atol=0.1 + 1e-9)
    assert (np.abs(table[GROUPS].mean(axis=1) - table.total) > 0.1).all()


def test_lsp_totals_weight_seven_equal_columns():
    table = printed.table("r-tab4")
    np.testing.assert_allclose(table[GROUPS].mean(axis=1), table.total, atol=0.06)


def test_lsp_rows_are_those_of_the_prediction_files():
    golden = json.loads((Path(__file__).parent / "golden_scores.json").read_text())["lsp"]
    table = printed.table("r-tab4").set_index("method")
    rows = {
        "Belagiannis&Zisserman (submitted predictions)": "BelagiannisZissermanARXIV16",
        "Wei CVPR16": "WeiCVPR16",
        "Yu ECCV16": "YuECCV16",
    }
    for method, file in rows.items():
        exact = golden[f"predictions/lsp_pc/{file}.mat"]
        found = table.loc[method, [*GROUPS, "total", "auc"]].astype(float)
        np.testing.assert_allclose(
            found, [*exact["groups"].values(), exact["total"], exact["auc"]], atol=0.0501
        )


def test_model_sizes():
    table = printed.table("r-tab3").set_index("method")
    assert table.loc["Ours", "paper_rule"] - 49 * 64 == table.loc["Ours", "printed"] == 100670
    assert (
        table.loc[["Wei et al.", "Carreira et al. (20-channel input)"]].eval(
            "printed == paper_rule"
        )
    ).all()
    assert (table.parameters > table.conv_weights).all()


def test_error_of_hard_joints_in_the_text_follows_from_h_table_2():
    """12.8 and 16.3 are printed; the table gives 12.7 and 16.3 (FACTS C.10)."""
    table, text = printed.table("h-tab2").set_index("method"), printed.text_numbers()
    errors = 100 - table[["wrist", "elbow", "knee", "ankle"]].mean(axis=1)
    of_text = text[text.item.str.startswith("mean error of wrist")].value.tolist()
    assert of_text == [12.8, 16.3]
    np.testing.assert_allclose(errors[["Our model", "Wei et al. CVPR16"]], of_text, atol=0.15)


def test_text_numbers():
    text = printed.text_numbers()
    assert set(text.paper) == {"R", "H"} and not text.duplicated(["paper", "item"]).any()
    assert not text.isna().any(axis=None)
    value = text.set_index(["paper", "item"]).value
    assert (
        value["R", "occluded share of annotated joints"] == 23
        and value["H", "validation PCKh of the wrist, occluded"] == 61.1
    )


def test_unknown_table():
    with pytest.raises(PaperlibError, match="r-tab4"):
        printed.table("r-tab9")


def test_every_printed_number_has_its_place():
    numbers = printed.numbers()
    assert list(numbers.columns) == [
        "paper",
        "table",
        "row",
        "column",
        "value",
        "unit",
        "qualifier",
        "place",
    ]
    assert (
        not numbers.isna().any(axis=None)
        and not numbers.duplicated(["paper", "table", "row", "column"]).any()
    )
    cells = numbers[numbers.table != "text"].groupby(["paper", "table"]).size().to_dict()
    assert cells == {
        ("R", "table I"): 64,
        ("R", "table II"): 90,
        ("R", "table III"): 4,
        ("R", "table IV"): 126,
        ("H", "table 1"): 12,
        ("H", "table 2"): 48,
    }
    assert len(numbers[numbers.table == "text"]) == len(printed.text_numbers()) >= 80
    assert numbers.place.str.match(r"(sec\.|fig\.|table) ?[\dIV]").all(), numbers.place.unique()
    find = numbers.set_index(["paper", "table", "row", "column"])
    assert (
        find.loc[("R", "table I", "+ Body Part", "total"), "value"] == 84.6
        and find.loc[("R", "table III", "Ours", "printed"), "value"] == 100670
    )
    occluded = find.loc[("H", "text", "", "validation PCKh of the wrist, occluded")]
    assert (occluded["value"], occluded["unit"], occluded["place"]) == (61.1, "percent", "sec. 5.2")
    assert set(numbers.table[numbers.qualifier == "scored by others"]) == {"table IV"}
    assert (numbers.qualifier[numbers.table == "table IV"] == "scored by others").all()


def test_claims_print_numbers_that_the_papers_print():
    """Every figure in a claim's `printed` is one of the numbers of its paper."""
    for claim in claims():
        values = set(printed.numbers().query(f"paper == '{claim['paper']}'").value)
        found = [float(word) for word in re.findall(r"\d+(?:\.\d+)?(?:e\d+)?", claim["printed"])]
        assert set(found) <= values, (claim["id"], set(found) - values)


def test_a_figure_and_a_table_of_the_inventory_has_its_caption():
    inventory = (
        {f"R-fig{n}" for n in range(1, 10)}
        | {f"R-tab{n}" for n in range(1, 5)}
        | {f"H-fig{n}" for n in range(1, 12)}
        | {"H-tab1", "H-tab2"}
    )
    assert inventory <= set(captions()) and all(
        20 < len(text) < 160 and not text.endswith(".") for text in captions().values()
    )
    shown = {artifact for claim in claims() for artifact in claim["artifacts"]}
    assert shown <= inventory and all(claim["artifacts"] for claim in claims())
