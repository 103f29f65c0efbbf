"""Bitstreams are kept by content: the same design, tools and options are never built twice."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from racewave.golden.errors import BadInput

__all__ = ["entry", "key", "place"]

KEEP_DAYS = 90


def place() -> Path:
    """Where bitstreams are kept: ``$RACEWAVE_CACHE``, or the user's cache folder."""
    root = os.environ.get("RACEWAVE_CACHE") or platformdirs.user_cache_dir("racewave")
    return Path(root).expanduser() / "bitstreams"


def key(*facts: str) -> str:
    """Name of an entry: a hash of everything that decides its bytes.

    Examples
    --------
    >>> key("module top;", "--seed 1") == key("module top;", "--seed 2")
    False
    """
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:24]


@contextmanager
def entry(name: str) -> Iterator[tuple[Path, bool]]:
    """Open an entry, alone among all processes.

    Yields its folder and whether it is complete. One that is not starts empty, and is complete
    once the caller leaves without an error.
    """
    root = place()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cache folder '{root}' cannot be made: {error.strerror}") from None
    home = root / name
    with (root / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if home.is_dir():
            os.utime(home)
            yield home, True
            return
        _remove_old(root)
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=root))
        try:
            yield scratch, False
            scratch.rename(home)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _remove_old(root: Path) -> None:
    limit = time.time() - KEEP_DAYS * 86_400
    for path in root.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
