"""What the drawn people wear, and colours for them and for things."""

from dataclasses import dataclass

import numpy as np


def palette(colours: str) -> np.ndarray:
    """(K, 3) RGB 0..255 of colours as web pages write them, such as "ffdbbe 5e3a28"."""
    return np.array([list(bytes.fromhex(colour)) for colour in colours.split()], float)


_SKIN = palette("ffdbbe f1c29d e0ac80 c6865e 8d5536 5e3a28")
_HAIR = palette("1e1816 3e2a1e 6e4c2e b08652 d6ba82 8c3c22 969492")


@dataclass(frozen=True)
class Look:
    """What a person wears: RGB 0..255 and lengths; the same left and right."""

    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    emblem: np.ndarray
    emblem_size: tuple[float, float]  # from a slip in the middle to a broad print
    sleeve: float  # 0.6: a short sleeve (of the upper arm); 2: down to the wrist
    leg: float  # 0.75: shorts (of the thigh); 2: down to the ankle
    skirt: bool  # as long as the trousers are, or down to above the knee
    hair_cut: str  # short, long or cap
    stout: float


def random_colour(rng: np.random.Generator, count: int = 1, vivid: float = 0.5) -> np.ndarray:
    """(count, 3) RGB: hues of cloth and of things; `vivid` bounds the saturation."""
    hue, strength, lightness = rng.random((3, count, 1))
    saturation, value = strength**1.6 * (0.4 + vivid), 0.15 + 0.82 * lightness
    pure = np.minimum(np.maximum(np.abs((hue * 6 + [0, 4, 2]) % 6 - 3) - 1, 0), 1)
    return 255 * value * (1 - saturation + saturation * pure)


def random_look(rng: np.random.Generator) -> Look:
    shirt, trousers, shoes, emblem, cap = random_colour(rng, 5)
    chances = rng.random(6)
    hair_cut = "cap" if chances[0] < 0.1 else "long" if chances[0] < 0.42 else "short"
    return Look(
        skin=_between(_SKIN, chances[1]),
        hair=cap if hair_cut == "cap" else _between(_HAIR, chances[2]),
        shirt=shirt,
        trousers=trousers * 0.8,
        shoes=shoes * 0.6,
        emblem=emblem,
        emblem_size=((0.15, 3.4), (1, 1), (1.5, 0.5), (0.5, 0.5))[rng.integers(4)],
        sleeve=(0.35, 0.6, 0.7, 1.95, 1.95)[int(5 * chances[3])],
        leg=(0.5, 0.85, 1.95, 1.95, 1.95)[int(5 * chances[4])],
        skirt=bool(chances[5] < 0.12),
        hair_cut=hair_cut,
        stout=rng.normal(1.0, 0.1),
    )


def _between(colours: np.ndarray, at: float) -> np.ndarray:
    """A colour between two neighbours of a ramp, `at` 0..1 of its length, so that no two people are
    quite alike."""
    low, part = divmod(at * (len(colours) - 1), 1)
    return colours[int(low)] * (1 - part) + colours[min(int(low) + 1, len(colours) - 1)] * part
