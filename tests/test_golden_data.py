"""Data sets: the embedded digits, MNIST by hash, folders; nothing wrong is accepted."""

import gzip
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import shared
from mutants import mutated

from racewave.golden import data, presets
from racewave.golden.errors import BadInput


def test_digits_are_split_the_same_every_time():
    first, again = data.load("digits"), data.load("digits")
    np.testing.assert_array_equal(first.test_images, again.test_images)
    assert first.train_images.shape == (1437, 8, 8)
    assert first.test_images.shape == (360, 8, 8)
    assert first.train_images.max() == 255
    counts = np.bincount(first.test_labels, minlength=10)
    assert counts.min() >= 25
    joined = {image.tobytes() for image in first.train_images}
    assert not any(image.tobytes() in joined for image in first.test_images)


def test_mnist_where_it_is(monkeypatch: pytest.MonkeyPatch):
    folder = shared.folder("mnist")
    monkeypatch.setenv("RACEWAVE_DATA", str(folder))
    mnist = data.load("mnist")
    assert mnist.train_images.shape == (60_000, 28, 28)
    assert mnist.test_images.shape == (10_000, 28, 28)
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    monkeypatch.setenv("RACEWAVE_DATA", "/nowhere")
    again = data.load("mnist", data_dir=folder)
    np.testing.assert_array_equal(again.test_images, mnist.test_images)


def test_wrong_bytes_under_mnists_name(tmp_path: Path):
    for name in data.FILES:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"not mnist"))
    with pytest.raises(BadInput, match="must be MNIST's, not other bytes"):
        data.load("mnist", data_dir=tmp_path)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine: its address and the folder it serves."""
    served = tmp_path / "served"
    served.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", served
    server.shutdown()
    thread.join()
    server.server_close()


NAME = "t10k-labels-idx1-ubyte"


def test_fetch_by_hash(mirror: tuple[str, Path], tmp_path: Path):
    address, served = mirror
    packed = (shared.folder("mnist") / f"{NAME}.gz").read_bytes()
    (served / f"{NAME}.gz").write_bytes(packed)
    cache = tmp_path / "cache"
    found = data.fetch(NAME, cache, (f"{address}missing/", address))
    assert found == gzip.decompress(packed)
    assert (cache / f"{NAME}.gz").is_file()


def check_wrong_download(unit: ModuleType, mirror: tuple[str, Path], cache: Path) -> None:
    address, served = mirror
    for wrong in (gzip.compress(b"other"), b"not packed"):
        (served / f"{NAME}.gz").write_bytes(wrong)
        with pytest.raises(BadInput, match=r"or be fetched: .* gave other bytes \(sha256\)"):
            unit.fetch(NAME, cache, (address,))
        assert not list(cache.glob("*"))


def test_wrong_download_is_refused_and_not_kept(mirror: tuple[str, Path], tmp_path: Path):
    check_wrong_download(data, mirror, tmp_path / "cache")


def test_planted_bug_in_fetch(mirror: tuple[str, Path], tmp_path: Path):
    unit = mutated(
        data, "== FILES[name]:\n                return data", "!= '':\n                return data"
    )
    with pytest.raises(pytest.fail.Exception):
        check_wrong_download(unit, mirror, tmp_path / "cache")


def test_no_mirror_answers(tmp_path: Path):
    with pytest.raises(BadInput, match="mnist must be in --data-dir"):
        data.fetch(NAME, tmp_path, ("http://127.0.0.1:9/",))


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([3, 1], np.uint8)


def write_idx(folder: Path, pack: bool) -> None:
    for name in data.FILES:
        content = idx(IMAGES if "images" in name else LABELS)
        path = folder / (f"{name}.gz" if pack else name)
        path.write_bytes(gzip.compress(content) if pack else content)


@pytest.mark.parametrize("kind", ["packed", "unpacked", "npz"])
def test_folder(kind: str, tmp_path: Path):
    if kind == "npz":
        for part in ("train", "test"):
            np.savez(tmp_path / f"{part}.npz", images=IMAGES, labels=LABELS.astype(np.int64))
    else:
        write_idx(tmp_path, kind == "packed")
    found = data.load(str(tmp_path))
    for images, labels in (
        (found.train_images, found.train_labels),
        (found.test_images, found.test_labels),
    ):
        np.testing.assert_array_equal(images, IMAGES)
        np.testing.assert_array_equal(labels, LABELS)
        assert labels.dtype == np.uint8


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "must contain 'labels'"),
        ({"images": IMAGES[0], "labels": LABELS}, "images of .* must be uint8, N x rows x columns"),
        ({"images": IMAGES / 2, "labels": LABELS}, "not float64 2 x 3 x 4"),
        ({"images": IMAGES, "labels": LABELS[:1]}, "labels of .* must be 2 integers, not uint8 1"),
        ({"images": IMAGES, "labels": np.array([0, 256])}, r"must be in 0\.\.255, not 0\.\.256"),
    ],
)
def test_bad_npz_folder(arrays: dict[str, np.ndarray], message: str, tmp_path: Path):
    for part in ("train", "test"):
        np.savez(tmp_path / f"{part}.npz", **arrays)
    with pytest.raises(BadInput, match=message):
        data.load(str(tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        idx(IMAGES)[:-1],
        idx(IMAGES) + b"x",
        b"\0\0\x09" + idx(IMAGES)[3:],
        b"PK\3\4",
    ],
)
def test_broken_idx(content: bytes):
    with pytest.raises(BadInput, match="data file 'f' must be a whole IDX file of bytes"):
        data.parse_idx(content, "f")


def test_broken_gzip(tmp_path: Path):
    write_idx(tmp_path, pack=True)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadInput, match="cannot be unpacked"):
        data.load(str(tmp_path))


def test_unknown_names(tmp_path: Path):
    with pytest.raises(BadInput, match="data must be 'digits', 'mnist' or a folder, not 'minst'"):
        data.load("minst")
    with pytest.raises(BadInput, match=r"must hold train\.npz and test\.npz, or IDX files"):
        data.load(str(tmp_path))
    with pytest.raises(BadInput, match="data-dir must be a folder"):
        data.load("mnist", data_dir=tmp_path / "none")


def test_labels_must_fit_the_classes():
    digits = data.load("digits")
    two = presets.load("digits").to_dict()
    two["readout"]["classes"] = 9
    from racewave.golden.config import from_dict

    with pytest.raises(BadInput, match=r"labels of digits must be in 0\.\.8 \(classes\), not 9"):
        data.check(digits, from_dict(two))
