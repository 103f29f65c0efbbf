"""Lets Verilator write FST waves on a machine without the headers of LZ4 and zlib.

Verilator's writer compiles against both. Their compressed formats allow data that is not
compressed at all, and that takes a few lines: an LZ4 block may consist of literals only, and for
zlib the writer itself keeps the plain bytes when compression did not make them fewer. Files are
larger then, and just as valid.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

__all__ = ["stand_ins"]

LZ4 = """\
// Stand-in for the LZ4 library: a block of literals. Ref: lz4_Block_format.md
#pragma once
static inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }
static inline int LZ4_compress_default(const char* from, char* to, int size, int) {
  unsigned char* out = (unsigned char*)to;
  *out++ = size < 15 ? (unsigned char)(size << 4) : 0xF0;
  if (size >= 15) {
    int rest = size - 15;
    for (; rest >= 255; rest -= 255) *out++ = 255;
    *out++ = (unsigned char)rest;
  }
  for (int n = 0; n < size; ++n) *out++ = (unsigned char)from[n];
  return (int)(out - (unsigned char*)to);
}
"""
ZLIB = """\
// Stand-in for zlib: never makes data smaller, so the writer keeps the plain bytes.
#pragma once
typedef unsigned char Bytef;
typedef unsigned long uLong, uLongf;
#define Z_OK 0
static inline uLong compressBound(uLong size) { return size; }
static inline int compress2(Bytef* to, uLongf* length, const Bytef* from, uLong size, int) {
  for (uLong n = 0; n < size; ++n) to[n] = from[n];
  *length = size;
  return Z_OK;
}
"""


@cache
def _has(header: str, library: str) -> bool:
    """Whether the compiler finds a header and the linker its library."""
    command = ["g++", "-x", "c++", "-include", header, "-", f"-l{library}", "-o", "/dev/null"]
    done = subprocess.run(command, input=b"int main() {}", capture_output=True, check=False)
    return done.returncode == 0


def stand_ins(folder: Path) -> list[str]:
    """Write what is missing into a folder; returns options for Verilator."""
    missing = [
        (header, library, text)
        for header, library, text in (("lz4.h", "lz4", LZ4), ("zlib.h", "z", ZLIB))
        if not _has(header, library)
    ]
    if not missing:
        return []
    folder.mkdir()
    for header, library, text in missing:
        (folder / header).write_text(text)
        # The linker is asked for the library all the same: an empty archive will do.
        (folder / f"lib{library}.a").write_bytes(b"!<arch>\n")
    return ["-CFLAGS", f"-I{folder}", "-LDFLAGS", f"-L{folder}"]
