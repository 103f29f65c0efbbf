"""Spike-timing-dependent plasticity: one of four cases per synapse, once per wave, after k-WTA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from racewave.golden import lfsr

if TYPE_CHECKING:
    from racewave.golden.config import ColumnConfig


def tables(column: ColumnConfig) -> tuple[np.ndarray, np.ndarray]:
    """Compute the stabilisation tables F+ and F-: how readily a weight moves, by its value.

    Returns
    -------
    up, down : numpy.ndarray
        int64, shape (w_max + 1,), integers out of ``2**prob_bits``, rounded half up.

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> up, down = tables(ColumnConfig(p=32, q=12, theta=40, w_max=7, stabilise="split"))
    >>> up.tolist()
    [0, 272, 502, 690, 836, 940, 1003, 1024]
    >>> down.tolist()
    [1024, 1003, 940, 836, 690, 502, 272, 0]
    """
    w = np.arange(column.w_max + 1, dtype=np.int64)
    one = 1 << column.prob_bits
    if column.stabilise == "off":
        return np.full(w.shape, one), np.full(w.shape, one)
    # r = w / w_max: split N r (2 - r), shared N r (1 - r)
    span = 2 * column.w_max if column.stabilise == "split" else column.w_max
    over = column.w_max**2
    up = (2 * one * w * (span - w) + over) // (2 * over)
    return up, up[::-1].copy()


@dataclass(frozen=True)
class Decisions:
    """The outcomes of one learning wave: for all synapses together, or for each one of a column.

    Attributes
    ----------
    capture, minus, search, backoff, u_min
        B(u) of the five probabilities, bool; shape (q, p) if each synapse has its own.
    up, down
        B(F+[w]) and B(F-[w]), bool, shape (w_max + 1,) or (w_max + 1, q, p).
    """

    capture: bool | np.ndarray
    minus: bool | np.ndarray
    search: bool | np.ndarray
    backoff: bool | np.ndarray
    u_min: bool | np.ndarray
    up: np.ndarray
    down: np.ndarray


def thresholds(column: ColumnConfig) -> np.ndarray:
    """Return what each draw of a learning wave is compared with, in the order of drawing.

    Capture, minus, search, backoff, u_min, F+[0..w_max], F-[0..w_max]; int64.
    """
    up, down = tables(column)
    fixed = [column.u_capture, column.u_minus, column.u_search, column.u_backoff, column.u_min]
    return np.concatenate([np.array(fixed, np.int64), up, down])


def draw_decisions(state: int, column: ColumnConfig) -> tuple[Decisions, int]:
    """Draw the decisions of one learning wave; every draw is taken whether used or not.

    Returns
    -------
    decisions : Decisions
    state : int
        Generator after ``5 + 2 (w_max + 1)`` draws.

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> column = ColumnConfig(p=2, q=1, theta=2, w_max=1)
    >>> decisions, state = draw_decisions(0xACE1, column)
    >>> decisions.capture, decisions.minus, state != 0xACE1
    (False, True, True)
    """
    limit = thresholds(column)
    values, state = lfsr.draws(state, len(limit), column.prob_bits)
    hit = values < limit
    split = 5 + column.w_max + 1
    capture, minus, search, backoff, u_min = hit[:5].tolist()
    up, down = hit[5:split], hit[split:]
    return Decisions(capture, minus, search, backoff, u_min, up, down), state


def draw_synapses(state: int, column: ColumnConfig) -> tuple[Decisions, int]:
    """Draw the decisions of one learning wave for each synapse of a column.

    Line by line, and neuron by neuron within a line, each synapse takes three draws, used or not:
    one for its case, one for u_min, one for F+ or F-.

    Returns
    -------
    decisions : Decisions
    state : int
        Generator after ``3 p q`` draws.

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> column = ColumnConfig(p=1, q=2, theta=2)
    >>> decisions, state = draw_synapses(0xACE1, column)
    >>> decisions.minus.tolist(), decisions.backoff.tolist(), decisions.up.shape
    ([[True], [False]], [[True], [False]], (8, 2, 1))
    """
    values, state = lfsr.draws(state, 3 * column.p * column.q, column.prob_bits)
    case, least, table = values.reshape(column.p, column.q, 3).transpose(2, 1, 0)  # each q x p
    up, down = tables(column)
    return Decisions(
        capture=case < column.u_capture,
        minus=case < column.u_minus,
        search=case < column.u_search,
        backoff=case < column.u_backoff,
        u_min=least < column.u_min,
        up=table < up[:, None, None],
        down=table < down[:, None, None],
    ), state


def decide(state: int, column: ColumnConfig, columns: int) -> tuple[list[Decisions], int]:
    """Draw the decisions of one learning wave of a layer, as `column.randomness` says.

    Returns
    -------
    decisions : list of Decisions
        One per column; the same for all with ``randomness = "layer"``.
    state : int

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> found, state = decide(0xACE1, ColumnConfig(p=1, q=1, theta=2, randomness="synapse"), 2)
    >>> [d.backoff.tolist() for d in found], state == lfsr.draws(0xACE1, 6, 10)[1]
    ([[[True]], [[False]]], True)
    """
    if column.randomness == "layer":
        shared, state = draw_decisions(state, column)
        return [shared] * columns, state
    found = []
    for _ in range(columns):
        own, state = draw_synapses(state, column)
        found.append(own)
    return found, state


def update(
    weights: np.ndarray, x: np.ndarray, y: np.ndarray, decisions: Decisions, column: ColumnConfig
) -> np.ndarray:
    """Move every weight of a column by at most one.

    ========= ====== ================== ====== =========================================
    case      x      y                  change when
    ========= ====== ================== ====== =========================================
    capture   spike  spike, x <= y      +1     capture and (u_min or up[w])
    minus     spike  spike, x > y       -1     minus and (u_min or down[w])
    search    spike  none               +1     search (and u_min or up[w], stabilised)
    backoff   none   spike              -1     backoff and (u_min or down[w])
    ========= ====== ================== ====== =========================================

    Parameters
    ----------
    weights
        Shape (q, p), 0..w_max; returned anew, saturated to the same range.
    x, y
        Input times (p,) and winners' times (q,) of the wave.

    Examples
    --------
    >>> from racewave.golden.config import ColumnConfig
    >>> column = ColumnConfig(p=3, q=2, theta=3, t_in=8)
    >>> yes = np.ones(8, bool)
    >>> decisions = Decisions(True, True, True, True, True, yes, yes)
    >>> x, y = np.array([0, 6, 15]), np.array([4, 15])
    >>> update(np.array([[3, 3, 3], [3, 7, 3]]), x, y, decisions, column).tolist()
    [[4, 2, 2], [4, 7, 3]]
    """
    w = weights.astype(np.int64)
    came = (x < column.t_in)[None, :]
    fired = (y < column.steps)[:, None]
    early = x.astype(np.int64)[None, :] <= y.astype(np.int64)[:, None]
    may_rise = decisions.u_min | _at(decisions.up, w)
    may_fall = decisions.u_min | _at(decisions.down, w)
    may_search = may_rise if column.stabilise_search else np.ones(w.shape, bool)
    rise = (came & fired & early & decisions.capture & may_rise) | (
        came & ~fired & decisions.search & may_search
    )
    fall = (came & fired & ~early & decisions.minus & may_fall) | (
        ~came & fired & decisions.backoff & may_fall
    )
    return np.clip(w + rise - fall, 0, column.w_max).astype(weights.dtype)


def _at(table: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The outcome for each synapse's own weight, q x p."""
    return table[w] if table.ndim == 1 else np.take_along_axis(table, w[None], axis=0)[0]
