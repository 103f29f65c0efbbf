"""Planted bugs in generated Verilog: one module of the text with one expression changed."""

from __future__ import annotations

import re


def planted(text: str, module: str, pattern: str, new: str) -> str:
    """Return `text` with a bug in one of its modules.

    Parameters
    ----------
    text : str
        Verilog with several modules.
    module : str
        The one that gets the bug.
    pattern : str
        Regular expression that must match exactly once in it.
    new : str
        What takes the place of the match.

    Raises
    ------
    ValueError
        If the pattern matches never or more than once: a bug must not rot away unnoticed.
    """
    begin = re.search(rf"^module {module}\b", text, re.MULTILINE)
    if begin is None:
        raise ValueError(f"module {module} must exist")
    end = text.index("endmodule", begin.start())
    body = text[begin.start() : end]
    body, count = re.subn(pattern, new, body)
    if count != 1:
        raise ValueError(f"pattern must match once in {module}, not {count} times: {pattern}")
    return text[: begin.start()] + body + text[end:]
