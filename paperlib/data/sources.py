"""The official data sets: where each comes from, under what licence, how large it is, how it is
cited, and what its publishers counted in it."""

from dataclasses import dataclass

from paperlib.data.datasets import DATASETS
from paperlib.data.files import choose, label_names
from paperlib.people import ABSENT, OCCLUDED


@dataclass(frozen=True)
class Archive:
    url: str
    checksum: str | None = None  # as pooch writes it, "md5:..."; None where none is published
    file: str = ""  # where it belongs, for a file that is no archive


@dataclass(frozen=True)
class Source:
    """`people` are the published counts of each split, `joints` the published count of a state over
    all of them."""

    name: str
    title: str
    archives: tuple[Archive, ...]  # none: by hand, as `layout` says
    licence: str
    size: str
    citation: str
    layout: str
    people: tuple[tuple[str, int], ...]
    joints: tuple[int, int] | None = None


_MPII_URL = "https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr/"
_PREDICTIONS_URL = "https://raw.githubusercontent.com/anibali/eval-mpii-pose/938ef9a57fde14fdd1754fa668ec13ec4c00adab/preds/reference/"
_NEWELL_URL = "https://raw.githubusercontent.com/princeton-vl/pytorch_stacked_hourglass/9844d5c89da4330cde805a8e0aed5180b3954e78/"
_COCO_URL = "http://images.cocodataset.org/"

SOURCES = (
    Source(
        "mpii",
        "MPII Human Pose",
        (
            Archive(_NEWELL_URL + "data/MPII/annot/valid.h5", file="annot/valid.h5"),
            Archive(
                _PREDICTIONS_URL + "newell.h5",
                "md5:8c912f3c30e63be9d39ef635b282924a",
                file="preds/newell.h5",
            ),
            Archive(_MPII_URL + "mpii_human_pose_v1_u12_2.zip"),
            Archive(_MPII_URL + "mpii_human_pose_v1.tar.gz"),
        ),
        "Simplified BSD, for research",
        "12.9 GB",
        "Andriluka, Pishchulin, Gehler and Schiele: 2D Human Pose Estimation: New "
        "Benchmark and State of the Art Analysis. CVPR 2014",
        "fetched: the official .mat, annot/valid.h5 of the hourglass's authors, which "
        "alone says who of the .mat's people are for validation, "
        "their predictions of these people, preds/newell.h5, and images/;"
        " the record list mpii_annotations.json[.gz] of Convolutional Pose Machines is "
        "read instead where it is there",
        people=(("train", 22246), ("valid", 2958)),
    ),
    Source(
        "lsp",
        "Leeds Sports Pose",
        (Archive("http://sam.johnson.io/research/lsp_dataset.zip"),),
        "for research; none is stated",
        "11 MB unpacked",
        "Johnson and Everingham: Clustered Pose and Nonlinear Appearance Models for "
        "Human Pose Estimation. BMVC 2010",
        "fetched: joints.mat, images/im0001.jpg ..",
        people=(("train", 1000), ("test", 1000)),
        joints=(OCCLUDED, 2044),
    ),
    Source(
        "lspet",
        "Leeds Sports Pose extended",
        (Archive("http://sam.johnson.io/research/lspet_dataset.zip"),),
        "for research; none is stated",
        "not published",
        "Johnson and Everingham: Learning Effective Human Pose Estimation from "
        "Inaccurate Annotation. CVPR 2011",
        "fetched: joints.mat, images/im00001.jpg ..",
        people=(("train", 10000),),
        joints=(ABSENT, 16787),
    ),
    Source(
        "flic",
        "Frames Labeled In Cinema",
        (),
        "for research; none is stated",
        "about 0.3 GB",
        "Sapp and Taskar: MODEC: Multimodal Decomposable Models for Human Pose "
        "Estimation. CVPR 2013",
        "by hand: FLIC.zip, linked from https://bensapp.github.io/flic-dataset.html, "
        "unpacked so that flic/examples.mat and flic/images/ are there; "
        "the six lists of data/flic/annot in github.com/princeton-vl/pose-hg-train, "
        "revision 9442c50 (no longer in its HEAD), are read instead "
        "where they are in flic/annot/",
        people=(("train", 3987), ("valid", 1016)),
    ),
    Source(
        "coco",
        "COCO 2017, person keypoints",
        (
            Archive(
                _COCO_URL + "annotations/annotations_trainval2017.zip",
                "md5:f4bbac642086de4f52a3fdda2de5fa2c",
            ),
            Archive(_COCO_URL + "zips/val2017.zip", "md5:442b8da7639aecaf257c1dceb8ba8c80"),
            Archive(_COCO_URL + "zips/train2017.zip", "md5:cced6f7f71b7629ddf16f17bbcfab6b2"),
        ),
        "labels CC BY 4.0; images under Flickr's terms",
        "20.4 GB",
        "Lin et al.: Microsoft COCO: Common Objects in Context. ECCV 2014",
        "fetched: annotations/person_keypoints_{train,val}2017.json, train2017/, val2017/",
        people=(),
    ),
)


def source_of(name: str) -> Source:
    """The source of a data set. Raises PaperlibError naming those there are."""
    choose("data set", name, [source.name for source in SOURCES])
    return next(source for source in SOURCES if source.name == name)


def list_sources() -> str:
    """One paragraph for each data set, for people to read; `SOURCES` holds the same as data."""
    return "\n\n".join(map(_paragraph, SOURCES))


def _paragraph(source: Source) -> str:
    origin = [archive.url for archive in source.archives] or ["no direct download"]
    labels = " or else ".join(label_names(DATASETS[source.name].files, "<split>"))
    lines = {
        "licence": [source.licence],
        "size": [source.size],
        "from": origin,
        "files": [source.layout],
    }
    lines |= {"labels": [f"{labels}, in {source.name}/"], "cite": [source.citation]}
    return "\n".join(
        [f"{source.name}: {source.title}"]
        + [f"  {key:8} {line}" for key, values in lines.items() for line in values]
    )
