"""The contract, written down a second time: plain Python, one synapse at a time, no arrays.

Only tests use it. It shares no line with the golden model, so an error must be made twice to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from racewave.golden.config import ColumnConfig

CASES = ("capture", "minus", "search", "backoff")


def fire(x: Sequence[int], w: Sequence[int], column: ColumnConfig) -> tuple[int, int]:
    """Raw spike time of one neuron and its potential then; (none, 0) if it never fires."""
    for t in range(column.steps):
        v = 0
        for xi, wi in zip(x, w, strict=True):
            if xi <= t:
                v += min(t - xi + 1, wi) if column.response == "rnl" else wi
        if v >= column.theta:
            return t, v
    return column.none, 0


def wta(raw: Sequence[tuple[int, int]], k: int, tie: str, none: int) -> list[int]:
    """Times after k-WTA of neurons given as (time, potential)."""
    finite = [(y, -v if tie == "potential" else 0, j) for j, (y, v) in enumerate(raw) if y != none]
    winners = {j for _, _, j in sorted(finite)[:k]}
    return [y if j in winners else none for j, (y, _) in enumerate(raw)]


def draws(state: int, prob_bits: int) -> Iterator[tuple[int, int]]:
    """Endless draws: (value, state)."""
    while True:
        for _ in range(16):
            out = state % 2
            state //= 2
            if out:
                state ^= 0xB400
        yield state % 2**prob_bits, state


def table(column: ColumnConfig, w: int) -> int:
    """F+[w], rounded half up from an exact fraction."""
    n, m = 2**column.prob_bits, column.w_max
    if column.stabilise == "off":
        return n
    top = w * (2 * m - w) if column.stabilise == "split" else w * (m - w)
    whole, rest = divmod(n * top, m * m)
    return whole + (2 * rest >= m * m)


def change(
    w: int, x: int, y: int, b: Callable[[str], bool], column: ColumnConfig, none: int
) -> int:
    """New weight of one synapse; `b` answers "capture", "minus", ..., "F+" and "F-" (for w)."""
    if x != none and y != none and x <= y:
        w += b("capture") and (b("u_min") or b("F+"))
    elif x != none and y != none:
        w -= b("minus") and (b("u_min") or b("F-"))
    elif x != none:
        w += b("search") and (not column.stabilise_search or b("u_min") or b("F+"))
    elif y != none:
        w -= b("backoff") and (b("u_min") or b("F-"))
    return max(0, min(column.w_max, w))


def wave(
    x: Sequence[int], weights: list[list[int]], state: int, column: ColumnConfig, learn: bool
) -> tuple[list[int], list[list[int]], int]:
    """One wave of one column; with draws per synapse, the columns of a layer take them in turn."""
    raw = [fire(x, row, column) for row in weights]
    y = wta(raw, column.k, column.tie, column.none)
    if not learn:
        return y, weights, state
    if column.randomness == "synapse":
        return y, *_learn_alone(x, weights, y, state, column)
    source = draws(state, column.prob_bits)
    hit: dict[str, bool] = {}
    for name in CASES:
        value, state = next(source)
        hit[name] = value < getattr(column, f"u_{name}")
    value, state = next(source)
    hit["u_min"] = value < column.u_min
    for w in range(column.w_max + 1):
        value, state = next(source)
        hit[f"F+{w}"] = value < table(column, w)
    for w in range(column.w_max + 1):
        value, state = next(source)
        mirrored = w if column.stabilise == "off" else column.w_max - w
        hit[f"F-{w}"] = value < table(column, mirrored)

    def new(w: int, xi: int, yj: int) -> int:
        def b(name: str) -> bool:
            return hit[f"{name}{w}" if name in ("F+", "F-") else name]

        return change(w, xi, yj, b, column, column.none)

    weights = [
        [new(w, xi, yj) for w, xi in zip(row, x, strict=True)]
        for row, yj in zip(weights, y, strict=True)
    ]
    return y, weights, state


def _learn_alone(
    x: Sequence[int],
    weights: list[list[int]],
    y: Sequence[int],
    state: int,
    column: ColumnConfig,
) -> tuple[list[list[int]], int]:
    """STDP where each synapse takes three draws: for its case, u_min, and its own F."""
    source = draws(state, column.prob_bits)
    after = [list(row) for row in weights]
    for i in range(column.p):
        for j in range(column.q):
            w = weights[j][i]
            case, least, table_draw = (next(source) for _ in range(3))
            state = table_draw[1]
            mirrored = w if column.stabilise == "off" else column.w_max - w
            hit = {name: case[0] < getattr(column, f"u_{name}") for name in CASES}
            hit["u_min"] = least[0] < column.u_min
            hit["F+"] = table_draw[0] < table(column, w)
            hit["F-"] = table_draw[0] < table(column, mirrored)
            after[j][i] = change(w, x[i], y[j], hit.__getitem__, column, column.none)
    return after, state
