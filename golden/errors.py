"""The one error that a user, not a programmer, has caused."""

import difflib
from collections.abc import Iterable

__all__ = ["BadInput", "nearest"]


class BadInput(ValueError):
    """A value, file or option that the user gave is not acceptable.

    The message is one line: what was wrong, the value, what is allowed. The command line prints it
    and exits with status 2.
    """


def nearest(word: str, names: Iterable[str]) -> str:
    """Say which of ``names`` was probably meant, as a phrase to append to a message.

    Parameters
    ----------
    word
        What the user typed.
    names
        The valid names.

    Returns
    -------
    str
        ``"; did you mean '...'?"`` or ``"; allowed: ..."`` when nothing is near.

    Examples
    --------
    >>> nearest("thete", ["theta", "t_in"])
    "; did you mean 'theta'?"
    >>> nearest("zzz", ["rnl", "snl"])
    '; allowed: rnl, snl'
    """
    names = list(names)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else f"; allowed: {', '.join(names)}"
