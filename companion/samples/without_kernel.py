"""Two widgets for where no kernel runs: their states, computed beforehand, in one piece of HTML.

The website and the executed copies show it; JupyterLab with a kernel shows the sliders of
`widgets`. Nothing is loaded from elsewhere. Where scripts are barred, as on a code host, one line
says so, and the figure above stands for the widget.
"""

import base64
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import PIL.Image

from companion.figures import playground
from companion.figures.pictures import side_colour
from companion.figures.style import HEAT
from paperlib.skeleton import SKELETONS

SCRIPT = Path(__file__).with_suffix(".js")
SIDE, COLUMNS = 240, 16  # px of a panel, tiles in a row of an atlas
WIDTHS = (0.4, 0.6, 0.8, 1.0, 1.4, 1.9, 2.5, 3.1)  # of the paper's Gaussian
MARKS = "ring: the label, cross: its maximum"
BARRED = "Sliders stand here where scripts run: in JupyterLab and on the website."


def heatmap_states(numbers: dict[str, np.ndarray], joint: int = 0, people: int = 6) -> str:
    """The explorer of `widgets.heatmap_explorer`, of the same numbers, for the first `people`:
    image, joint and site."""
    maps = numbers["maps"][:people].astype(np.float32)  # (N, K, J, H, W)
    tops = np.maximum(maps.max(axis=(1, 3, 4), keepdims=True), 1e-6)  # a joint's sites share one
    crops, skeleton = numbers["images"][:people], SKELETONS[str(numbers["skeleton"])]
    titles, names = [list(map(str, numbers[name])) for name in ("titles", "names")]
    found, truth = (_shares(numbers[name][:people], crops) for name in ("found", "truth"))
    error, peaks = numbers["error"][:people], maps.max(axis=(3, 4))
    three = ["image", "joint", "site"]
    off = ["" if np.isnan(one) else f", {one:.2f} {numbers['unit']} off" for one in _flat(error)]
    heat = {
        "title": {"by": [], "values": [f"heatmap; {MARKS}"]},
        "picture": {"by": ["image"], "values": [_uri(crop, "jpeg") for crop in crops]},
        "tiles": _atlas(np.moveaxis(maps / tops, 1, 2), three, HEAT),
        "ring": {"by": three[:2], "values": truth.reshape(-1, 2).tolist()},
        "cross": {"by": three, "values": np.moveaxis(found, 1, 2).reshape(-1, 2).tolist()},
    }
    pose = {
        "title": {"by": ["site"], "values": [f"pose at {title}" for title in titles]},
        "pose": {"by": ["image", "site"], "values": found.reshape(-1, *found.shape[2:]).tolist()},
    } | {part: heat[part] for part in ("picture", "ring")}
    pairs = zip(_flat(peaks), off, strict=True)
    words = np.array([f"{peak:.1f}{said}" for peak, said in pairs]).reshape(-1, len(titles))
    return _page(
        controls=[
            _control("image", range(1, len(crops) + 1), 0),
            _control("joint", names, joint) | {"list": True},
            _control("site", titles, len(titles) - 1),
        ],
        panels=[pose, heat],
        bars={
            "title": "confidence: maximum of the heatmap",
            "by": three[:2],
            "labels": titles,
            "values": np.moveaxis(peaks, 1, 2).reshape(-1, len(titles)).round(2).tolist(),
            "words": words.tolist(),
            "marked": "site",
        },
        limbs=[[*limb, side_colour([skeleton.joints[j] for j in limb])] for limb in skeleton.limbs],
        tables=[HEAT],
    )


def playground_states(numbers: dict[str, np.ndarray]) -> str:
    """The playground of `widgets.target_playground` for an occluded joint, a visible one and a
    limb: how wide the Gaussian is, the policy for occluded joints, and the weights."""
    every = playground.choices(numbers)
    shown = [every[0], next(one for one in every if not one.endswith(")")), "left thigh"]
    targets, weights, losses = [], [], []
    for what in shown:
        for width in WIDTHS:
            sized = {name: width * getattr(playground.PAPER, name) for name in ("along", "across")}
            wide = replace(playground.PAPER, sigma=width * playground.PAPER.sigma, **sized)
            for policy in playground.POLICIES:
                codec = replace(wide, occluded=policy)
                for weighting in playground.WEIGHTS:
                    target, weight, would_be = playground.targets_at(
                        codec, numbers, what, weighting
                    )
                    weights.append(weight.numpy())
                    shares = playground.guess_losses(target, weight, would_be, codec.peak)
                    losses.append([sum(pair) for pair in shares.values()])
                targets.append(target.numpy() / codec.peak)
    three = ["show", "width", "occluded"]
    every_one = [*three, "weights"]
    return _page(
        controls=[
            _control("show", shown, 0) | {"list": True},
            _control("width", [f"{w:g} x the paper's" for w in WIDTHS], WIDTHS.index(1.0)),
            _control("occluded", playground.POLICIES, 0) | {"list": True},
            _control("weights", playground.WEIGHTS, 0) | {"list": True},
        ],
        panels=[
            {
                "title": {"by": ["show"], "values": [f"target: {what}" for what in shown]},
                "picture": {"by": [], "values": [_uri(numbers["image"], "jpeg")]},
                "tiles": _atlas(np.array(targets), three, HEAT),
            },
            {
                "title": {"by": [], "values": ["weight in the loss: dark 0, bright 1"]},
                "tiles": _atlas(np.array(weights), every_one, "cividis"),
            },
        ],
        bars={
            "title": "R's loss of three guesses",
            "by": every_one,
            "labels": [guess.replace("\n", " ") for guess in shares],
            "values": np.round(losses, 3).tolist(),
            "words": [[f"{value:.3g}" for value in row] for row in losses],
        },
        limbs=[],
        tables=[HEAT, "cividis"],
    )


def _page(tables: list[str], **said) -> str:
    colours = {name: (255 * matplotlib.colormaps[name](np.arange(256))[:, :3]) for name in tables}
    told = {
        name: base64.b64encode(one.round().astype("u1")).decode() for name, one in colours.items()
    }
    data = json.dumps(said | {"side": SIDE, "tables": told}, separators=(",", ":"))
    name = f"states-{hashlib.sha256(data.encode()).hexdigest()[:12]}"
    script = SCRIPT.read_text().replace("%ID%", name).replace("%DATA%", data)
    return f'<div id="{name}" class="states">{BARRED}</div>\n<script>\n{script}</script>'


def _control(name: str, labels, start: int) -> dict:
    return {"name": name, "labels": list(map(str, labels)), "start": start}


def _atlas(maps: np.ndarray, by: list[str], table: str) -> dict:
    """Maps (..., H, W) in 0..1 as the tiles of one grey PNG, in the order of the controls `by`."""
    side = maps.shape[-1]
    tiles = np.clip(255 * maps.reshape(-1, side, side), 0, 255).round().astype(np.uint8)
    rows = -(-len(tiles) // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, side, side), np.uint8)
    sheet[: len(tiles)] = tiles
    sheet = sheet.reshape(rows, COLUMNS, side, side).swapaxes(1, 2).reshape(rows * side, -1)
    return {
        "source": _uri(sheet, "png"),
        "side": side,
        "columns": COLUMNS,
        "by": by,
        "table": table,
    }


def _uri(pixels: np.ndarray, kind: str) -> str:
    made = io.BytesIO()
    how = {"quality": 85} if kind == "jpeg" else {"optimize": True}
    PIL.Image.fromarray(pixels).save(made, kind, **how)
    return f"data:image/{kind};base64,{base64.b64encode(made.getvalue()).decode()}"


def _shares(points: np.ndarray, crops: np.ndarray) -> np.ndarray:
    """Points in px of their crop as shares of its side; one without a label lies outside."""
    shares = (points + 0.5) / crops.shape[1]
    return np.nan_to_num(shares, nan=-1).round(3)


def _flat(values: np.ndarray) -> np.ndarray:
    """(N, K, J) in the order image, joint, site."""
    return np.moveaxis(values, 1, 2).ravel()
