"""Downloads against a server in a thread, and the check of a data folder."""

import errno
import hashlib
import io
import tarfile
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from official_files import picture, record, rect, release, split_h5, write_mat

from paperlib import PaperlibError
from paperlib.data import sources as module
from paperlib.data.check import check
from paperlib.data.fetch import fetch
from paperlib.data.mpii import load_mpii
from paperlib.data.sources import SOURCES, Archive, list_sources


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(**members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("images/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return stream.getvalue()


@pytest.fixture
def server():
    """Serves `server.files[path]`; a value (body, promised length) promises more than it sends.
    `server.seen` lists the requests.

    With `server.ranges` it can go on in the middle; with `server.stalls` it goes silent after what
    it sends, the line left open.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if server.ranges else 0
            server.seen.append(f"{self.path} from {start}" if start else self.path)
            if self.path not in server.files:
                return self.send_error(404)
            body = server.files[self.path]
            body, length = body if isinstance(body, tuple) else (body, len(body))
            if start and start >= len(body):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            if length is not None:
                self.send_header("Content-Length", str(length - start))
            self.end_headers()
            self.wfile.write(body[start:])
            self.wfile.flush()
            if server.stalls:
                released.wait()

        def log_message(self, *_):
            pass

    server, released = ThreadingHTTPServer(("127.0.0.1", 0), Handler), threading.Event()
    server.files, server.seen, server.ranges, server.stalls = {}, [], False, False
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def serve(server, monkeypatch):
    """serve(name=body, ...) makes these archives the whole of a data set; `places` says where those
    belong that are no archives."""

    def serve(checksum=None, places=None, dataset="lsp", **files):
        server.files = {"/" + name.replace("_", "."): body for name, body in files.items()}
        archives = tuple(
            Archive(server.url + path, checksum, (places or {}).get(path, ""))
            for path in server.files
        )
        monkeypatch.setattr(
            module,
            "SOURCES",
            tuple(replace(s, archives=archives) if s.name == dataset else s for s in SOURCES),
        )

    return serve


def files_in(folder):
    return sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".fetch.lock"
    )


def test_archives_are_unpacked_and_a_second_call_downloads_nothing(serve, server, tmp_path):
    serve(
        a_zip=zipped(**{"joints.mat": b"J", "images/im1.jpg": b"one"}),
        b_tgz=tarred(**{"images/im2.jpg": b"two"}),
    )
    assert fetch("lsp", tmp_path, progress=False) == tmp_path / "lsp"
    assert files_in(tmp_path) == [
        "lsp/.a.zip.done",
        "lsp/.b.tgz.done",
        "lsp/images/im1.jpg",
        "lsp/images/im2.jpg",
        "lsp/joints.mat",
    ]
    assert (tmp_path / "lsp/images/im2.jpg").read_bytes() == b"two"
    assert server.seen == ["/a.zip", "/b.tgz"]
    fetch("lsp", tmp_path, progress=False)
    assert len(server.seen) == 2


def test_only_what_is_missing_is_fetched(serve, server, tmp_path):
    serve(a_zip=zipped(a=b"a"), b_zip=b"no archive")
    with pytest.raises(PaperlibError):
        fetch("lsp", tmp_path, progress=False)
    server.files["/b.zip"] = zipped(b=b"b")
    fetch("lsp", tmp_path, progress=False)
    assert (
        server.seen == ["/a.zip", "/b.zip", "/b.zip"] and (tmp_path / "lsp/b").read_bytes() == b"b"
    )


@pytest.mark.parametrize(
    "name", ["../evil", "images/../../evil", "/tmp/paperlib-evil", "..\\evil", "C:\\evil"]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_member_outside_the_folder_is_refused(serve, tmp_path, name, pack):
    serve(a_zip=pack(**{"good": b"good", name: b"evil"}))
    with pytest.raises(PaperlibError, match="would land outside") as caught:
        fetch("lsp", tmp_path / "data", progress=False)
    assert name in str(caught.value)
    assert files_in(tmp_path) == []


def test_a_link_is_not_unpacked(serve, tmp_path):
    serve(a_tgz=tarred(good=b"good"))
    fetch("lsp", tmp_path, progress=False)
    assert not (tmp_path / "lsp/images").exists()


WHOLE = tarred(good=np.random.default_rng(0).bytes(300_000))


def test_a_body_cut_short_is_not_believed(serve, tmp_path):
    serve(a_tgz=(WHOLE[: len(WHOLE) // 2], None))  # it does not say how long it should be
    with pytest.raises(PaperlibError, match="a.tgz: a broken archive, cut short"):
        fetch("lsp", tmp_path, progress=False)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("stalls", [True, False])
def test_a_download_that_breaks_off_or_stalls_goes_on(
    serve, server, tmp_path, monkeypatch, ranges, stalls
):
    monkeypatch.setattr("paperlib.data.fetch.TIMEOUT", 0.5)
    serve(a_tgz=(WHOLE[:200_000], len(WHOLE)))
    server.ranges, server.stalls = ranges, stalls
    with pytest.raises(
        PaperlibError,
        match=f"a.tgz: download failed .*{'timed out' if stalls else 'IncompleteRead'}.*; try "
        "again, it goes on after the 0.2 MB",
    ):
        fetch("lsp", tmp_path, progress=False)
    assert files_in(tmp_path) == ["lsp/.a.tgz.part"]
    got = (tmp_path / "lsp/.a.tgz.part").stat().st_size

    server.files["/a.tgz"], server.stalls = WHOLE, False
    fetch("lsp", tmp_path, progress=False)
    assert (
        files_in(tmp_path) == ["lsp/.a.tgz.done", "lsp/good"]
        and (tmp_path / "lsp/good").stat().st_size == 300_000
    )
    assert server.seen == ["/a.tgz", f"/a.tgz from {got}" if ranges else "/a.tgz"]


def test_a_server_that_never_answers(serve, server, tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.data.fetch.TIMEOUT", 0.3)
    serve(a_tgz=(b"", len(WHOLE)))
    server.stalls, start = True, time.monotonic()
    with pytest.raises(
        PaperlibError,
        match="a.tgz: download failed .*timed out.*; try again, or put what it holds into "
        ".*lsp by hand",
    ):
        fetch("lsp", tmp_path, progress=False)
    assert files_in(tmp_path) == [] and time.monotonic() - start < 15


def test_a_server_that_has_nothing_after_what_is_there(serve, server, tmp_path):
    """The file has become shorter there, or a call was killed between the last byte and the
    renaming: the next call starts anew."""
    serve(a_tgz=WHOLE)
    server.ranges = True
    (tmp_path / "lsp").mkdir()
    (tmp_path / "lsp/.a.tgz.part").write_bytes(WHOLE)
    with pytest.raises(PaperlibError, match="a.tgz: download failed .*416.*; try again, or"):
        fetch("lsp", tmp_path, progress=False)
    fetch("lsp", tmp_path, progress=False)
    assert (
        server.seen == [f"/a.tgz from {len(WHOLE)}", "/a.tgz"] and (tmp_path / "lsp/good").exists()
    )


def test_half_a_download_of_another_file_is_found_out(serve, server, tmp_path):
    serve(a_tgz=WHOLE)
    server.ranges = True
    (tmp_path / "lsp").mkdir()
    (tmp_path / "lsp/.a.tgz.part").write_bytes(b"another" * 20_000)
    with pytest.raises(PaperlibError, match="a.tgz: a broken archive"):
        fetch("lsp", tmp_path, progress=False)
    assert files_in(tmp_path) == []


def test_a_call_that_was_killed_while_it_unpacked(serve, server, tmp_path):
    serve(a_tgz=WHOLE)
    (tmp_path / "lsp/.unpacking").mkdir(parents=True)
    (tmp_path / "lsp/.unpacking/bad").write_bytes(b"half")
    (tmp_path / "lsp/a.tgz").write_bytes(WHOLE)
    fetch("lsp", tmp_path, progress=False)
    assert server.seen == [] and files_in(tmp_path) == ["lsp/.a.tgz.done", "lsp/good"]


def test_a_file_that_is_no_archive(serve, server, tmp_path):
    serve(valid_h5=b"labels", places={"/valid.h5": "annot/valid.h5"})
    fetch("lsp", tmp_path, progress=False)
    assert (
        files_in(tmp_path) == ["lsp/annot/valid.h5"]
        and (tmp_path / "lsp/annot/valid.h5").read_bytes() == b"labels"
    )
    (tmp_path / "lsp/annot/valid.h5").write_bytes(b"mine")
    fetch("lsp", tmp_path, progress=False)
    assert (
        server.seen == ["/valid.h5"] and (tmp_path / "lsp/annot/valid.h5").read_bytes() == b"mine"
    )
    server.files.clear()
    with pytest.raises(
        PaperlibError,
        match="valid.h5: download failed .*404.*; try again, or put what it holds into "
        ".*/annot/valid.h5 by hand",
    ):
        fetch("lsp", tmp_path / "elsewhere", progress=False)


def test_what_is_fetched_for_mpii_is_read(serve, tmp_path):
    """The .mat lies in a folder of its archive, the list of validation people comes as a file, the
    images as a second archive."""
    one = rect(record()["joint_self"])
    tree = release([{"name": "a.jpg", "rects": [one]}, {"name": "b.jpg", "rects": [one, one]}])
    mat, split = (
        write_mat(tmp_path / "written.mat", tree),
        split_h5(tmp_path / "written.h5", [(1, 1)]),
    )
    picture(tmp_path / "written.jpg")
    images = {f"images/{name}.jpg": (tmp_path / "written.jpg").read_bytes() for name in "ab"}
    serve(
        dataset="mpii",
        places={"/valid.h5": "annot/valid.h5"},
        mat_zip=zipped(
            **{"mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat": mat.read_bytes()}
        ),
        valid_h5=split.read_bytes(),
        images_tgz=tarred(**images),
    )
    home = fetch("mpii", tmp_path / "data", progress=False)
    assert [len(load_mpii(home, split, strict=True)) for split in ("train", "valid")] == [1, 1]


def test_the_disk_is_full(serve, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    serve(a_tgz=WHOLE)
    monkeypatch.setattr("paperlib.data.fetch.shutil.copyfileobj", full)
    with pytest.raises(
        PaperlibError, match="lsp: cannot be written .No space left on device.; free some space"
    ):
        fetch("lsp", tmp_path, progress=False)
    assert files_in(tmp_path) == ["lsp/a.tgz"]


def test_checksum(serve, tmp_path):
    body = zipped(good=b"good")
    serve(a_zip=body, checksum="md5:" + hashlib.md5(b"another").hexdigest())
    with pytest.raises(PaperlibError, match="a.zip.*hash"):
        fetch("lsp", tmp_path, progress=False)
    assert files_in(tmp_path) == []
    serve(a_zip=body, checksum="md5:" + hashlib.md5(body).hexdigest())
    fetch("lsp", tmp_path, progress=False)
    assert (tmp_path / "lsp/good").exists()


def test_no_such_file_on_the_server_and_no_server(serve, server, tmp_path, monkeypatch):
    serve(a_zip=b"")
    server.files.clear()
    with pytest.raises(PaperlibError, match="a.zip: download failed.*404"):
        fetch("lsp", tmp_path, progress=False)
    nowhere = tuple(
        replace(s, archives=(Archive("http://127.0.0.1:9/a.zip"),)) if s.name == "lsp" else s
        for s in SOURCES
    )
    monkeypatch.setattr(module, "SOURCES", nowhere)
    with pytest.raises(PaperlibError, match="127.0.0.1:9/a.zip: download failed"):
        fetch("lsp", tmp_path, progress=False)


def test_a_folder_that_cannot_be_made(serve, tmp_path):
    serve(a_zip=zipped(a=b"a"))
    (tmp_path / "file").write_text("")
    with pytest.raises(PaperlibError, match="file"):
        fetch("lsp", tmp_path / "file", progress=False)


def test_sources():
    assert [s.name for s in SOURCES] == ["mpii", "lsp", "lspet", "flic", "coco"]
    assert all(
        text in list_sources()
        for s in SOURCES
        for text in (s.title, s.licence, s.citation, *(a.url for a in s.archives))
    )
    assert all(s.title and s.licence and s.size and s.citation and s.layout for s in SOURCES)
    with pytest.raises(PaperlibError, match="bensapp.github.io"):
        fetch("flic", "unused")
    # which file of a folder wins
    for text in ("annot/<split>.h5 or else annot/<split>.json", "or else examples.mat, in flic/"):
        assert text in list_sources()
    with pytest.raises(PaperlibError, match="no data set 'imagenet'; choose one of mpii, lsp"):
        check("imagenet", "unused")
