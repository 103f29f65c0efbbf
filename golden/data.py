"""Labelled images: the embedded digits, MNIST by hash, or a folder of the user's."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from racewave.golden import archive
from racewave.golden.config import Config
from racewave.golden.errors import BadInput

__all__ = ["Dataset", "check", "load"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FILES = {  # name: SHA-256 of the unpacked bytes
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True)
class Dataset:
    """Images and labels for training and for test.

    Parameters
    ----------
    name
        What the user called it.
    train_images, test_images
        uint8, N x rows x columns.
    train_labels, test_labels
        uint8, N.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load(name: str, data_dir: str | Path | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    name
        "digits", "mnist", or a folder that holds either the four MNIST-named IDX files (packed or
        not) or ``train.npz`` and ``test.npz`` with `images` and `labels`.
    data_dir
        Where to look for MNIST first; then ``$RACEWAVE_DATA``, the user cache, the mirrors.

    Raises
    ------
    BadInput
        Unknown name, or files that are missing or damaged.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.train_images.shape, digits.test_images.shape
    ((1437, 8, 8), (360, 8, 8))
    """
    if name == "digits":
        return _digits()
    if name == "mnist":
        return _mnist(data_dir)
    folder = Path(name)
    if not folder.is_dir():
        raise BadInput(f"data must be 'digits', 'mnist' or a folder, not '{name}'")
    return _folder(folder)


def check(dataset: Dataset, config: Config) -> None:
    """Refuse a data set whose images or labels do not fit the network.

    Examples
    --------
    >>> from racewave.golden import presets
    >>> check(load("digits"), presets.load("mnist-49"))
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: images of digits must be 28 x 28 (config mnist-49), not 8 x 8
    """
    if config.input is None:
        raise BadInput(f"config {config.name} must have an [input] table to take images")
    wanted, found = config.input.image, dataset.train_images.shape[1:]
    if wanted != found or dataset.test_images.shape[1:] != found:
        raise BadInput(
            f"images of {dataset.name} must be {wanted[0]} x {wanted[1]} (config {config.name}), "
            f"not {found[0]} x {found[1]}"
        )
    classes = config.readout.classes if config.readout else 256
    for labels in (dataset.train_labels, dataset.test_labels):
        if len(labels) and labels.max() >= classes:
            raise BadInput(
                f"labels of {dataset.name} must be in 0..{classes - 1} (classes), "
                f"not {labels.max()}"
            )


def _digits() -> Dataset:
    """Every fifth of the 1,797 images is for test; 0..16 becomes 0..255."""
    from sklearn.datasets import load_digits  # slow to import

    bunch = load_digits()
    images = (np.asarray(bunch.images, np.int64) * 255 // 16).astype(np.uint8)  # type: ignore
    labels = np.asarray(bunch.target, np.uint8)  # type: ignore
    test = np.arange(len(images)) % 5 == 0
    return Dataset("digits", images[~test], labels[~test], images[test], labels[test])


def _mnist(data_dir: str | Path | None) -> Dataset:
    if data_dir and not Path(data_dir).is_dir():
        raise BadInput(f"data-dir must be a folder, not '{data_dir}'")
    unpacked = {name: _mnist_file(name, data_dir) for name in FILES}
    arrays = [parse_idx(data, name) for name, data in unpacked.items()]
    return Dataset("mnist", *arrays)


def _mnist_file(name: str, data_dir: str | Path | None) -> bytes:
    import platformdirs

    cache = Path(platformdirs.user_cache_dir("racewave")) / "mnist"
    named = [Path(place) for place in (data_dir, os.environ.get("RACEWAVE_DATA")) if place]
    for folder in [*named, *(place / "mnist" for place in named), cache]:
        for path in (folder / f"{name}.gz", folder / name):
            if path.is_file():
                data = _unpack(path)
                if hashlib.sha256(data).hexdigest() != FILES[name]:
                    raise BadInput(f"data file '{path}' must be MNIST's, not other bytes (sha256)")
                return data
    return fetch(name, cache)


def fetch(name: str, cache: Path, mirrors: tuple[str, ...] = MIRRORS) -> bytes:
    """Download one MNIST file into the cache; a file with wrong contents is not kept.

    Raises
    ------
    BadInput
        No mirror gave the right bytes.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    reason = "no mirror"
    for mirror in mirrors:
        try:
            path = pooch.retrieve(f"{mirror}{name}.gz", None, f"{name}.gz", cache)
        except (OSError, requests.RequestException, ValueError) as error:
            reason = str(error).splitlines()[0]
            continue
        with contextlib.suppress(BadInput):
            data = _unpack(Path(path))
            if hashlib.sha256(data).hexdigest() == FILES[name]:
                return data
        Path(path).unlink(missing_ok=True)
        reason = f"{mirror} gave other bytes (sha256)"
    raise BadInput(
        f"mnist must be in --data-dir, $RACEWAVE_DATA or '{cache}', or be fetched: {reason}"
    )


def _folder(folder: Path) -> Dataset:
    if (folder / "train.npz").is_file():
        pairs = [_npz_pair(folder / f"{part}.npz") for part in ("train", "test")]
        return Dataset(str(folder), *pairs[0], *pairs[1])
    arrays = []
    for name in FILES:
        found = [path for path in (folder / f"{name}.gz", folder / name) if path.is_file()]
        if not found:
            raise BadInput(
                f"data folder '{folder}' must hold train.npz and test.npz, "
                f"or IDX files such as {name}.gz"
            )
        arrays.append(parse_idx(_unpack(found[0]), str(found[0])))
    _check_pair(arrays[0], arrays[1], str(folder))
    _check_pair(arrays[2], arrays[3], str(folder))
    return Dataset(str(folder), *arrays)


def _npz_pair(path: Path) -> tuple[np.ndarray, np.ndarray]:
    arrays = archive.read(path, "data")
    for name in ("images", "labels"):
        if name not in arrays:
            raise BadInput(f"data file '{path}' must contain '{name}'")
    return _check_pair(arrays["images"], arrays["labels"], str(path))


def _check_pair(images: np.ndarray, labels: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    if images.dtype != np.uint8 or images.ndim != 3 or not images.size:
        found = f"{images.dtype} {' x '.join(map(str, images.shape))}"
        raise BadInput(f"images of '{what}' must be uint8, N x rows x columns, not {found}")
    if labels.dtype.kind not in "ui" or labels.shape != (len(images),):
        found = f"{labels.dtype} {' x '.join(map(str, labels.shape))}"
        raise BadInput(f"labels of '{what}' must be {len(images)} integers, not {found}")
    if labels.min() < 0 or labels.max() > 255:
        raise BadInput(f"labels of '{what}' must be in 0..255, not {labels.min()}..{labels.max()}")
    return images, labels.astype(np.uint8)


def _unpack(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"data file '{path}' cannot be unpacked: {error}") from None


def parse_idx(data: bytes, what: str) -> np.ndarray:
    """Parse an IDX file of unsigned bytes: magic, big-endian sizes, values.

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "labels").tolist()
    [7, 9]
    """
    sizes = data[3] if len(data) >= 4 and data[:3] == b"\0\0\x08" else 0
    start = 4 + 4 * sizes
    shape = np.frombuffer(data[4:start], ">u4") if len(data) >= start else np.zeros(0, ">u4")
    count = int(np.prod(shape, dtype=object)) if len(shape) else -1
    if sizes not in (1, 3) or len(shape) != sizes or count != len(data) - start:
        raise BadInput(f"data file '{what}' must be a whole IDX file of bytes")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape.astype(int)).copy()
