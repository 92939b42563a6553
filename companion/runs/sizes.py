"""The five sizes: what tiny, smoke, night, short and paper mean in pixels, widths, steps, people
and seeds.

`night` is a scale model of the papers. Their arguments rest on how much of the crop a network sees
before it answers and sees again, on the hourglass's smallest maps, and on equal capacity; so what
it keeps is, against the crop's side, the receptive field of each of R's sites (0.39, 0.87, 1.35)
within 15 %, 4 x 4 cells at the bottom of an hourglass, 32 cells in a heatmap and 48 where a claim
is about body parts (`fine`), and designs whose modules have equal parameters. `smoke` keeps the
receptive fields.
"""

from dataclasses import dataclass, field

SIZES = ("tiny", "smoke", "night", "short", "paper")


@dataclass(frozen=True)
class Scale:
    """What a size means: input px, widths, steps, and how many people are drawn."""

    side: int  # of the input, hourglass and recurrent alike but for size paper
    recurrent: dict  # options of the network
    hourglass: dict
    stacks: int  # of the main hourglass
    family: dict  # options of the hourglasses of equal capacity (H-fig8, H-fig9)
    steps: int  # of a row of an ablation; the main models train `longer` times as long
    longer: float
    drawn: dict[str, tuple[int, int]]  # data set -> people to train on, people to test on
    batch: int = 16  # people in a step
    # options of the recurrent models with more cells, for claims about body parts
    fine: dict = field(default_factory=dict)
    fine_side: int = 0  # their input, px; 0: there are none
    seeds: int = 1  # of the runs that claims compare with one another


SCALES = {
    "tiny": Scale(
        side=64,
        recurrent={"width": 4, "kernels": (3, 3, 3, 3, 3), "relu_heads": False, "init": "torch"},
        hourglass={"features": 16, "depth": 3},
        stacks=2,
        family={"features": 8, "depth": 3},
        steps=4,
        longer=2,
        drawn={"mpii": (32, 24), "lsp": (24, 24), "flic": (24, 16), "coco": (24, 8)},
    ),
    "smoke": Scale(
        side=96,
        recurrent={"width": 16, "kernels": (3, 1, 3, 7, 5), "relu_heads": False, "init": "torch"},
        hourglass={"features": 64, "depth": 3},
        stacks=2,
        family={"features": 32, "depth": 3},
        steps=108,
        longer=4,
        drawn={"mpii": (2000, 300), "lsp": (300, 300), "flic": (400, 150), "coco": (1000, 48)},
        batch=8,
    ),
    "night": Scale(
        side=128,
        recurrent={"width": 16, "kernels": (3, 3, 3, 7, 7), "relu_heads": False, "init": "torch"},
        hourglass={"features": 64, "depth": 3},
        stacks=2,
        family={"features": 32, "depth": 3},
        steps=1500,
        longer=3,
        drawn={
            "mpii": (12000, 2000),
            "lsp": (1000, 1000),
            "flic": (2000, 500),
            "coco": (8000, 100),
        },
        fine={"kernels": (5, 7, 7, 9, 11)},
        fine_side=192,
        seeds=3,
    ),
    "short": Scale(
        side=256,
        recurrent={"width": 64, "relu_heads": False, "init": "torch"},
        hourglass={"features": 256},
        stacks=8,
        family={"features": 256},
        steps=8000,
        longer=2,
        drawn={
            "mpii": (22246, 2958),
            "lsp": (1000, 1000),
            "flic": (3987, 1016),
            "coco": (20000, 500),
        },
        seeds=3,
    ),
    "paper": Scale(
        side=256,
        recurrent={},
        hourglass={"features": 256, "head": "paper"},
        stacks=8,
        family={"features": 256, "head": "paper"},
        steps=0,
        longer=1,
        drawn={
            "mpii": (22246, 2958),
            "lsp": (1000, 1000),
            "flic": (3987, 1016),
            "coco": (100000, 500),
        },
        seeds=3,
    ),
}
