"""Outputs appear whole or not at all, and never on top of what somebody else made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from racewave.golden.errors import BadInput

__all__ = ["MANIFEST", "check_file", "folder", "manifest", "to_json", "write"]

MANIFEST = "manifest.json"


def to_json(data: Any) -> str:
    """One way to write JSON files: indented, keys in the order given, one final newline."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def check_file(path: str | Path | None) -> None:
    """Refuse an output file that could not be written when the work is done; None is fine.

    Raises
    ------
    BadInput
        It is a folder, or in no folder.
    """
    if path is None:
        return
    parent = Path(path).absolute().parent
    if Path(path).is_dir():
        raise BadInput(f"output file '{path}' cannot be written: it is a folder")
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        reason = "Permission denied" if parent.is_dir() else "no such folder"
        raise BadInput(f"output file '{path}' cannot be written: {reason}")


def write(path: str | Path, text: str) -> None:
    """Write a text file beside its place, then put it there; see `check_file`."""
    target = Path(path).absolute()
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(target)
    except OSError as error:
        raise BadInput(f"output file '{path}' cannot be written: {error.strerror}") from None
    finally:
        scratch.unlink(missing_ok=True)


def manifest(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Describe a finished folder: who made it, from what, and the hash of every file."""
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    return {"generator": "racewave", "version": version("racewave"), **about, "files": files}


@contextmanager
def folder(path: str | Path, about: dict[str, Any]) -> Iterator[Path]:
    """Fill a folder beside `path`; when all is well it gets a manifest and takes the place.

    Parameters
    ----------
    path
        Where the folder goes. One that is there already must be empty, or hold nothing but what
        its own manifest lists.
    about
        Facts for the manifest; may be completed until the end.

    Raises
    ------
    BadInput
        The place cannot be written, or holds files that racewave did not make.
    """
    target = Path(path).absolute()
    check_place(target, path)
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise BadInput(f"output folder '{path}' cannot be written: {error.strerror}") from None
    try:
        scratch.chmod(0o755)
        yield scratch
        (scratch / MANIFEST).write_text(to_json(manifest(scratch, about)), encoding="utf-8")
        check_place(target, path)
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
            target.replace(old / "old")
            scratch.replace(target)
            shutil.rmtree(old)
        else:
            scratch.replace(target)
    except OSError as error:
        raise BadInput(f"output folder '{path}' cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_place(target: Path, name: str | Path) -> None:
    """Refuse to replace a file, or a folder with files that its manifest does not list."""
    if not target.exists():
        above = next(place for place in target.parents if place.exists())
        if not above.is_dir():
            raise BadInput(f"output folder '{name}' cannot be written: '{above}' is not a folder")
        if not os.access(above, os.W_OK):
            raise BadInput(f"output folder '{name}' cannot be written: '{above}' is read-only")
        return
    if not target.is_dir():
        raise BadInput(f"output folder '{name}' must be a folder, not a file")
    try:
        data = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        listed = {MANIFEST, *data["files"]} if data["generator"] == "racewave" else set()
    except (OSError, ValueError, KeyError, TypeError):
        listed = set()
    for found in sorted(target.rglob("*")):
        inside = found.relative_to(target).as_posix()
        if not found.is_dir() and inside not in listed:
            raise BadInput(
                f"output folder '{name}' must be new, empty or made by racewave, "
                f"not one that holds '{inside}'"
            )
