"""Pictures of every kind and damage, alone and under a loader."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from official_files import mpii, record
from PIL import Image

from paperlib import PaperlibError
from paperlib.data import images
from paperlib.data.images import fault_of, image_size, read_image, remarks
from paperlib.data.mpii import load_mpii

COLOURS = (
    np.array(
        [
            [[250, 10, 20], [20, 240, 30], [30, 20, 230]],
            [[250, 250, 10], [5, 5, 5], [240, 240, 240]],
        ],
        np.uint8,
    )
    .repeat(16, 0)
    .repeat(16, 1)
)


@pytest.mark.parametrize(
    "mode, suffix, tolerance",
    [
        ("RGB", "png", 0),
        ("P", "png", 0),
        ("RGBA", "png", 0),
        ("CMYK", "jpg", 12),
        ("RGB", "jpg", 12),
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, suffix, tolerance):
    image = Image.fromarray(COLOURS)
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    image.save(tmp_path / f"a.{suffix}", **options)
    pixels = read_image(tmp_path / f"a.{suffix}")
    assert pixels.dtype == np.uint8 and pixels.shape == (32, 48, 3) and pixels.flags.writeable
    assert np.abs(pixels[::16, 8::16].astype(int) - COLOURS[::16, 8::16]).max() <= tolerance
    assert image_size(tmp_path / f"a.{suffix}") == (48, 32)


def test_grey_sixteen_bit_and_transparent(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "l.png")
    Image.fromarray(ramp.astype(np.uint16) * 256 + 17).save(tmp_path / "i16.png")
    Image.fromarray(ramp.astype(np.int32)).save(tmp_path / "i32.tif")
    Image.fromarray((ramp / 255).astype(np.float32)).save(tmp_path / "f32.tif")
    for name in ("l.png", "i16.png", "i32.tif", "f32.tif"):
        assert (read_image(tmp_path / name) == ramp[..., None]).all()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "la.png")
    assert (read_image(tmp_path / "clear.png") == 255).all() and (
        read_image(tmp_path / "la.png") == 255
    ).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_turns_a_photograph_but_not_labelled_pixels(tmp_path, orientation, suffix):
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(
        path,
        exif=exif,
        quality=100,
        **({"lossless": True} if suffix == "webp" else {"subsampling": 0}),
    )
    turn = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: a[::-1, ::-1],
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
    }
    turn |= {7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: np.rot90}
    for upright, wanted in ((False, COLOURS), (True, turn[orientation](COLOURS))):
        pixels = read_image(path, upright)
        assert (
            pixels.shape == wanted.shape
            and np.abs(pixels[8::16, 8::16].astype(int) - wanted[8::16, 8::16]).max() < 12
        )
        assert image_size(path, upright) == wanted.shape[1::-1]


@pytest.mark.parametrize("reduced", [2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    "suffix, mode", [("jpg", "RGB"), ("jpg", "L"), ("jpg", "CMYK"), ("png", "RGB"), ("gif", "P")]
)
def test_an_image_is_read_smaller(tmp_path, suffix, mode, orientation, reduced):
    """Each pixel is the mean of so many of the file, whatever is over at its right and lower side;
    colours and orientation are the same."""
    path, exif = tmp_path / f"a.{suffix}", Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS.repeat(2, 0).repeat(2, 1)[:61, :93]).convert(mode).save(
        path, quality=100, **({} if suffix == "gif" else {"exif": exif})
    )
    for upright in (False, True):
        whole, small = read_image(path, upright), read_image(path, upright, reduced)
        assert all(
            s in (w // reduced, -(-w // reduced))
            for s, w in zip(small.shape[:2], whole.shape[:2], strict=True)
        ), small.shape
        height, width = whole.shape[0] // reduced, whole.shape[1] // reduced
        means = (
            whole[: height * reduced, : width * reduced]
            .reshape(height, reduced, width, reduced, 3)
            .mean(axis=(1, 3))
        )
        difference = np.abs(small[:height, :width] - means)
        assert difference.mean() < 3 and np.median(difference) <= 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[: len(b) // 2],
        lambda b: b[:4],
        lambda b: b"<html>404</html>",
        None,
    ],
)
def test_damaged_pictures(tmp_path, suffix, damage, capfd):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    path.unlink() if damage is None else path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PaperlibError, match=f"a.{suffix}: (no such image|not a whole|an empty)"):
        read_image(path)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(PaperlibError, match="a.folder"):
        (tmp_path / "a.folder").mkdir()
        read_image(tmp_path / "a.folder")


def test_a_jpeg_without_its_end_marker_is_not_trusted_to_opencv(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOURS).save(path)
    path.write_bytes(path.read_bytes() + b"\n")  # as 33 of LSP's are
    half_grey = np.full((1, 1, 3), 128, np.uint8)
    monkeypatch.setattr("paperlib.data.images.cv2.imdecode", lambda *_: half_grey)
    assert read_image(path) is half_grey
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PaperlibError, match="a.jpg: not a whole picture"):
        read_image(path)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
TURNED = Image.Exif()
TURNED[0x0112] = 6
KINDS = {
    "grey": lambda path: NOISE.convert("L").save(path),
    "cmyk": lambda path: NOISE.convert("CMYK").save(path),
    "png under a jpg name": lambda path: NOISE.save(path, format="PNG"),
    "16-bit png under a jpg name": lambda path: Image.fromarray(
        np.full((64, 64), 40_000, np.uint16)
    ).save(path, format="PNG"),
    "turned by exif": lambda path: NOISE.save(path, exif=TURNED),
    "gif": lambda path: NOISE.save(path, format="GIF"),
}
DAMAGE = {
    "empty": (lambda whole: b"", "an empty file .0 bytes."),
    "truncated": (
        lambda whole: whole[: len(whole) // 2],
        "not a whole picture .image file is truncated",
    ),
    "a page of HTML": (
        lambda whole: b"<html>404</html>",
        "not a whole picture .not in a picture format",
    ),
    "start and end alone": (
        lambda whole: whole[:8] + b"junk" * 9 + whole[-12:],
        "not a whole picture",
    ),
    "end without a beginning": (
        lambda whole: whole[len(whole) // 2 :],
        "not a whole picture .not in a picture format",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_any_kind_is_used(tmp_path, kind):
    folder = mpii(tmp_path, record(), images=())
    (tmp_path / "images").mkdir()
    KINDS[kind](tmp_path / "images/a.jpg")
    people = load_mpii(folder, "train", strict=True)
    assert (
        len(people) == 1
        and fault_of(people.image[0]) is None
        and read_image(people.image[0]).shape == (64, 64, 3)
    )


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("damage, says", DAMAGE.values(), ids=DAMAGE)
def test_a_broken_picture_is_left_out_and_stops_a_strict_loader(tmp_path, suffix, damage, says):
    """The record of a run has `left_out`, so it says how many people were not trained on, and
    why."""
    folder = mpii(
        tmp_path,
        record(),
        record(f"broken.{suffix}"),
        record(f"broken.{suffix}"),
        record("absent.jpg"),
    )
    NOISE.save(tmp_path / f"images/broken.{suffix}")
    path = tmp_path / f"images/broken.{suffix}"
    path.write_bytes(damage(path.read_bytes()))
    people = load_mpii(folder, "train")
    assert len(people) == 1 and people.left_out == {"image absent": 1, "image unreadable": 2}
    with pytest.raises(
        PaperlibError, match=f"json: person 1 of the split: image unreadable .image '{path}'"
    ):
        load_mpii(folder, "train", strict=True)
    assert len(load_mpii(folder, "train", need_images=False, strict=True)) == 4
    with pytest.raises(PaperlibError, match=f"broken.{suffix}: {says}"):
        read_image(path)
    assert re.match(says, fault_of(path))


def test_a_whole_picture_is_not_decoded_to_find_that_out(tmp_path, monkeypatch):
    """A folder of 25,000 images is looked through at every start."""
    for suffix in ("jpg", "png"):
        NOISE.save(tmp_path / f"a.{suffix}")
        monkeypatch.setattr("paperlib.data.images.read_image", None)
        assert fault_of(tmp_path / f"a.{suffix}") is None


# ---------------------------------------------------------------- what photographs bring along

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def test_an_orientation_that_only_xmp_tells_turns_pixels_and_size(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.jpg", xmp=XMP, quality=100, subsampling=0)
    size = image_size(tmp_path / "a.jpg", upright=True)
    assert size == read_image(tmp_path / "a.jpg", upright=True).shape[1::-1] == (32, 48)


@pytest.mark.parametrize("orientation", [0, 9, 255])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_an_orientation_that_is_none_is_said_and_the_picture_left_as_it_is(
    tmp_path, orientation, suffix
):
    exif, path = Image.Exif(), tmp_path / f"a.{suffix}"
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(path, exif=exif)
    assert image_size(path, upright=True) == (48, 32)
    np.testing.assert_array_equal(read_image(path, upright=True), read_image(path))
    said = f"its EXIF orientation {orientation} is none of 1 to 8; taken as it is stored"
    assert remarks(path) == [said]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_exif_block_costs_only_the_orientation(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOURS).save(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert read_image(path, upright=True).shape == (32, 48, 3)
    monkeypatch.setattr(Image.Exif, "get", lambda *_: int("damaged"))
    assert image_size(path, upright=True) == (48, 32)
    assert read_image(path, upright=True).shape == (32, 48, 3)
    assert remarks(path) == ["its EXIF orientation is damaged; taken as it is stored"]


@pytest.mark.parametrize("suffix", ["tif", "gif", "png", "webp"])
def test_of_several_pages_the_first_is_taken_and_said(tmp_path, suffix):
    path, pages = tmp_path / f"a.{suffix}", [Image.new("RGB", (9, 7), c) for c in ("red", "blue")]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert remarks(path) == ["it has 2 pages or frames; the first is taken"]
    red = read_image(path).reshape(-1, 3).mean(axis=0)
    assert red[0] > 200 > 50 > red[2]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "gif", "webp", "bmp"])
def test_of_a_plain_picture_nothing_is_said(tmp_path, suffix):
    Image.fromarray(COLOURS).save(tmp_path / f"a.{suffix}")
    assert remarks(tmp_path / f"a.{suffix}") == []


def test_a_phones_second_view_is_no_page(tmp_path):
    pages = [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue")]
    pages[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=pages[1:])
    assert remarks(tmp_path / "a.jpg") == []
    assert read_image(tmp_path / "a.jpg", upright=True)[3, 4, 0] > 200


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "gif"])
@pytest.mark.parametrize("limit", [1, 500, 1000])
def test_a_picture_beyond_pillows_limit_is_read_and_the_limit_left(
    tmp_path, monkeypatch, recwarn, suffix, limit
):
    Image.fromarray(COLOURS).save(tmp_path / f"a.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert read_image(tmp_path / f"a.{suffix}", upright=True).shape == (32, 48, 3)
    assert fault_of(tmp_path / f"a.{suffix}") is None and not recwarn.list
    assert Image.MAX_IMAGE_PIXELS == limit


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "gif"])
def test_a_picture_too_large_is_refused_for_that_reason(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(COLOURS).save(path)
    monkeypatch.setattr(images, "MOST", 48 * 32 - 1)
    for read in (lambda: read_image(path, upright=True), lambda: image_size(path)):
        with pytest.raises(PaperlibError, match="a.* 48 x 32 px are 0 megapixels, .*make it small"):
            read()
    monkeypatch.setattr(images, "MOST", 48 * 32)
    assert read_image(path, upright=True).shape == (32, 48, 3)


def test_a_picture_beyond_the_memory_is_refused_for_that_reason(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    monkeypatch.setattr(images, "_rgb", full)
    with pytest.raises(PaperlibError, match="a.png: too large for the memory; make it smaller"):
        read_image(tmp_path / "a.png")


FOREIGN = {
    "a HEIC picture": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "a video": b"\0\0\0\x18ftypisom\0\0\0\0isomavc1",
    "a PDF document": b"%PDF-1.7\n",
    "an SVG drawing": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a JPEG XL picture": b"\xff\x0a\xfa\x7f",
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("name", ["a.jpg", "a.heic"])
def test_what_cannot_be_read_is_called_by_its_name(tmp_path, kind, name):
    (tmp_path / name).write_bytes(FOREIGN[kind])
    for read in (read_image, image_size):
        with pytest.raises(PaperlibError, match=f"{name}: {kind}, not read here; save it as JPEG"):
            read(tmp_path / name)


def test_a_raw_file_is_not_taken_for_its_preview(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.NEF", format="TIFF")
    with pytest.raises(PaperlibError, match="a.NEF: a camera's raw file; export it as JPEG"):
        read_image(tmp_path / "a.NEF")


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "1", "LA", "PA"])
def test_rarer_colours_are_read(tmp_path, mode):
    Image.new(mode, (48, 32)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").shape == (32, 48, 3)


def test_threads_that_read_leave_pillows_limit_as_it_was(tmp_path):
    for i in range(8):
        Image.fromarray(COLOURS).save(tmp_path / f"{i}.png")
    limit = Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(8) as pool:
        shapes = list(pool.map(lambda i: read_image(tmp_path / f"{i % 8}.png").shape, range(64)))
    assert set(shapes) == {(32, 48, 3)} and Image.MAX_IMAGE_PIXELS == limit
