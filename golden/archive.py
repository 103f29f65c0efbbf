"""Array files: `.npz` that hold no code, repeat to the byte, and appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from racewave.golden.errors import BadInput

__all__ = ["read", "write"]

EPOCH = (1980, 1, 1, 0, 0, 0)  # every file carries the same date, so equal arrays are equal bytes
LARGEST = 1 << 32  # bytes of one array
ENTRY = b"PK\x01\x02"  # starts an entry of a zip directory


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays beside `path`, then rename: nobody ever sees half a file.

    Parameters
    ----------
    path
        Where the file goes; an older one is replaced.
    arrays
        Names and values; order counts for the bytes.

    Raises
    ------
    BadInput
        The place cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/a.npz", {"times": np.arange(3)})
    ...     read(f"{folder}/a.npz", "volley")["times"].tolist()
    [0, 1, 2]
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except OSError as error:
        raise BadInput(f"output file '{path}' cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as bundle:
            for name, value in arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.asarray(value), allow_pickle=False)
                entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                bundle.writestr(entry, buffer.getvalue())
        os.replace(beside, path)
    except OSError as error:
        raise BadInput(f"output file '{path}' cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)


def read(path: str | Path, kind: str) -> dict[str, np.ndarray]:
    """Read every array of a file, trusting nothing in it.

    Parameters
    ----------
    path
        The file.
    kind
        What to call it in messages: "model", "volley", ...

    Raises
    ------
    BadInput
        Missing, truncated or edited file, or one that contains pickled objects.

    Examples
    --------
    >>> read("no.npz", "model")
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: model file 'no.npz' cannot be read: No such file or directory
    """
    what = f"{kind} file '{path}'"
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path) as bundle:
            for entry in bundle.infolist():
                if not entry.filename.endswith(".npy"):
                    raise BadInput(f"{what} must hold only arrays, not {entry.filename!r}")
                if (
                    ENTRY in entry.extra + entry.comment
                ):  # a broken length hides the entries after it
                    raise zipfile.BadZipFile
                arrays[entry.filename[:-4]] = _read_array(bundle, entry, what)
    except OSError as error:
        raise BadInput(f"{what} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise BadInput(f"{what} must be a whole .npz archive: truncated or edited") from None
    return arrays


def _read_array(bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, what: str) -> np.ndarray:
    """Parse one array; its header must agree with its size before anything is allocated."""
    if entry.file_size > LARGEST:
        raise BadInput(f"{what} must hold arrays of at most {LARGEST} bytes, not {entry.file_size}")
    data = bundle.read(entry)
    buffer = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(buffer)
        parse = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = parse(buffer)
    except (ValueError, KeyError, EOFError):
        raise BadInput(f"{what} has a broken array '{entry.filename}'") from None
    if dtype.hasobject:
        raise BadInput(f"{what} must not contain pickled objects (array '{entry.filename}')")
    count = 1
    for length in shape:
        count *= length
    body = data[buffer.tell() :]
    if count < 0 or count * dtype.itemsize != len(body):
        raise BadInput(f"{what} has a broken array '{entry.filename}': wrong size")
    if dtype.itemsize == 0:
        return np.zeros(shape, dtype)
    flat = np.frombuffer(body, dtype)
    return flat.reshape(shape[::-1]).T.copy() if fortran else flat.reshape(shape).copy()
