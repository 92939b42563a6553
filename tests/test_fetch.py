"""Downloads against a server in a thread, and the check of a data folder."""

import hashlib
import io
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from paperlib import PaperlibError
from paperlib.data import fetch as module
from paperlib.data.fetch import SOURCES, Archive, check, fetch, list_sources


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
    """Serves `server.files[path]`; a value (body, promised length) promises more than it sends. `server.seen` lists the requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.seen.append(self.path)
            if self.path not in server.files:
                return self.send_error(404)
            body = server.files[self.path]
            body, length = body if isinstance(body, tuple) else (body, len(body))
            self.send_response(200)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.seen = {}, []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def serve(server, monkeypatch):
    """serve(name=body, ...) makes these archives the whole of the data set "lsp"."""

    def serve(checksum=None, **files):
        server.files = {"/" + name.replace("_", "."): body for name, body in files.items()}
        archives = tuple(Archive(server.url + path, checksum) for path in server.files)
        monkeypatch.setattr(module, "SOURCES", tuple(replace(s, archives=archives) if s.name == "lsp" else s for s in SOURCES))

    return serve


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_archives_are_unpacked_and_a_second_call_downloads_nothing(serve, server, tmp_path):
    serve(a_zip=zipped(**{"joints.mat": b"J", "images/im1.jpg": b"one"}), b_tgz=tarred(**{"images/im2.jpg": b"two"}))
    assert fetch("lsp", tmp_path, progress=False) == tmp_path / "lsp"
    assert files_in(tmp_path) == ["lsp/.a.zip.done", "lsp/.b.tgz.done", "lsp/images/im1.jpg", "lsp/images/im2.jpg", "lsp/joints.mat"]
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
    assert server.seen == ["/a.zip", "/b.zip", "/b.zip"] and (tmp_path / "lsp/b").read_bytes() == b"b"


@pytest.mark.parametrize("name", ["../evil", "images/../../evil", "/tmp/paperlib-evil", "..\\evil", "C:\\evil"])
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


@pytest.mark.parametrize("promised", ["all", "nothing"])
def test_a_truncated_body_leaves_nothing(serve, tmp_path, promised):
    whole = tarred(good=bytes(range(256)) * 400)
    serve(a_tgz=(whole[: len(whole) // 2], len(whole) if promised == "all" else None))
    with pytest.raises(PaperlibError, match="a.tgz"):
        fetch("lsp", tmp_path, progress=False)
    assert files_in(tmp_path) == []


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
    nowhere = tuple(replace(s, archives=(Archive("http://127.0.0.1:9/a.zip"),)) if s.name == "lsp" else s for s in SOURCES)
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
    assert all(text in list_sources() for s in SOURCES for text in (s.title, s.licence, s.citation, *(a.url for a in s.archives)))
    assert all(s.title and s.licence and s.size and s.citation and s.layout for s in SOURCES)
    with pytest.raises(PaperlibError, match="bensapp.github.io"):
        fetch("flic", "unused")
    with pytest.raises(PaperlibError, match="no data set 'imagenet'; choose one of mpii, lsp"):
        check("imagenet", "unused")


def test_check_names_every_problem(tmp_path):
    (tmp_path / "lsp/images").mkdir(parents=True)
    savemat(tmp_path / "lsp/joints.mat", {"joints": np.ones((3, 14, 4))})
    for i in (1, 2):
        Image.new("RGB", (5, 7)).save(tmp_path / f"lsp/images/im000{i}.jpg")
    (tmp_path / "lsp/images/im0003.jpg").write_bytes(b"")
    found = check("lsp", tmp_path)
    assert {k: found[k] for k in ("dataset", "people", "images")} == {"dataset": "lsp", "people": 4, "images": 2}
    problems = {(p["file"].rsplit("/", 1)[-1], p["what"].split("(")[0].strip()) for p in found["problems"]}
    assert problems == {
        ("im0003.jpg", "not a whole picture"),
        ("im0004.jpg", "image missing"),
        ("lsp", "train: 2 people, published are 1000"),
        ("lsp", "test: 2 people, published are 1000"),
        ("lsp", "56 joints are occluded, published are 2044"),
    }


@pytest.mark.parametrize("name, people, images", [("lsp", 2000, 2000), ("lspet", 10000, 10000), ("coco", 12, 4)])
def test_the_official_files_have_no_problem(real_data, name, people, images):
    assert check(name, real_data) == {"dataset": name, "people": people, "images": images, "problems": []}


def test_a_part_of_mpii_is_told_from_the_whole(real_data, tmp_path):
    (tmp_path / "mpii").symlink_to(real_data / "mpii-sports")
    found = check("mpii", tmp_path)
    assert (found["people"], found["images"]) == (2338, 1527)
    assert [p["what"] for p in found["problems"]] == ["train: 2074 people, published are 22246", "valid: 264 people, published are 2958"]


def test_labels_without_images(real_data):
    flic = check("flic", real_data)
    assert (flic["people"], flic["images"]) == (5003, 3)
    assert {p["what"] for p in flic["problems"]} == {"image missing"}
