"""What is laid beside each comparison table that the papers print: published prediction files and
runs of ours, and the rows they answer to."""

from dataclasses import dataclass

from paperlib.skeleton import GROUPS

VALIDATION = "validation people, not the test set's"


@dataclass(frozen=True)
class File:
    """A published prediction file in the data folder, and the printed row it answers to ('' if
    none)."""

    path: str
    system: str
    row: str = ""
    labels: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """What is laid beside a printed table: files, and runs with the printed row that each answers
    to ('' if none)."""

    dataset: str
    columns: tuple[str, ...]
    printed_on: str
    files: tuple[File, ...]
    runs: tuple[tuple[str, str], ...]
    note: str = ""


def _mpii_files(tompson: str, newell: str) -> tuple[File, ...]:
    return (
        File("mpii/preds/tompson.h5", "Tompson et al., published file", tompson, note=VALIDATION),
        File("mpii/preds/newell.h5", "Newell et al., published file", newell, note=VALIDATION),
        File(
            "mpii/preds/newell-valid-ours.h5",
            "Newell et al., file of the demo code",
            newell,
            note=VALIDATION,
        ),
        File(
            "mpii/preds/bearpaw-hg_s2_b1.mat",
            "hourglass, 2 stacks, bearpaw",
            note="MPII validation; another's PyTorch port",
        ),
    )


_LSP_FILES = {
    "WangLiCVPR13": "Wang&Li CVPR13",
    "TompsonNIPS14": "Tompson NIPS14",
    "FanCVPR15": "Fan CVPR15",
    "ChenYuilleNIPS14": "Chen&Yuille NIPS14",
    "YuECCV16": "Yu ECCV16",
    "BelagiannisZissermanARXIV16": "Belagiannis&Zisserman (submitted predictions)",
    "LifshitzECCV16": "Lifshitz ECCV16",
    "PishchulinCVPR16": "Pishchulin CVPR16",
    "WeiCVPR16": "Wei CVPR16",
}
VALIDATED = "Recomputed rows are of MPII's validation people, printed rows of its test set."
_NEWELL_FLIC = "predictions/flic/NewellARXIV16.mat"

COMPARISONS = {
    "R-tab2": Comparison(
        "mpii",
        (*GROUPS, "total", "auc"),
        "MPII test",
        _mpii_files("Tompson et al. [37]", "Newell et al. [25]"),
        (
            ("recurrent", "Ours"),
            ("recurrent-t2-parts-finetuned", "Ours (fine-tuned)"),
            ("hourglass", "Newell et al. [25]"),
        ),
        VALIDATED,
    ),
    "R-tab4": Comparison(
        "lsp",
        (*GROUPS, "total", "auc"),
        "LSP test, 1000 people",
        tuple(File(f"predictions/lsp_pc/{file}.mat", row, row) for file, row in _LSP_FILES.items()),
        (("recurrent-lsp", "Belagiannis&Zisserman (submitted predictions)"), ("hourglass-lsp", "")),
        "Rows marked benchmark are not R's printed digits: others scored them from each "
        "method's published predictions (FACTS E).",
    ),
    "H-tab1": Comparison(
        "flic",
        ("elbow", "wrist", "total"),
        "FLIC test, 1016 people",
        (
            File("predictions/flic/WeiCVPR16.mat", "Wei et al., published file", "Wei et al."),
            File("predictions/flic/YangCVPR16.mat", "Yang et al. CVPR16, published file"),
            File(
                _NEWELL_FLIC,
                "Newell et al., published file",
                "Our model",
                "pc",
                "a person-centric file against person-centric labels",
            ),
            File(
                _NEWELL_FLIC,
                "Newell et al., published file, oc",
                "Our model",
                "oc",
                "the same file against the paper's observer-centric labels",
            ),
        ),
        (("hourglass-flic", "Our model"),),
        "Total: the mean of elbow and wrist, also in the rows of the paper, which prints none.",
    ),
    "H-tab2": Comparison(
        "mpii",
        (*GROUPS, "total"),
        "MPII test",
        _mpii_files("Tompson et al. CVPR15", "Our model"),
        (("hourglass", "Our model"), ("recurrent", "")),
        VALIDATED,
    ),
}
