"""Seeded random columns that between them use every option."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from racewave.golden.config import ColumnConfig


def random_column(rng: np.random.Generator, most: int = 20) -> ColumnConfig:
    """Draw a column with up to `most` synapses and neurons; every option has a chance."""
    p, q, w_max = (int(n) for n in rng.integers(1, most + 1, 3))
    w_max = min(w_max, 127)
    prob_bits = int(rng.integers(1, 17))
    certain = 1 << prob_bits

    def probability() -> int:
        return int(rng.choice([0, certain, rng.integers(0, certain + 1)]))

    return ColumnConfig(
        p=p,
        q=q,
        w_max=w_max,
        t_in=int(rng.integers(1, 20)),
        theta=int(rng.integers(1, max(2, p * w_max // 2))),
        k=int(rng.integers(1, q + 1)),
        tie=["index", "potential"][rng.integers(2)],
        response=["rnl", "snl"][rng.integers(2)],
        prob_bits=prob_bits,
        u_capture=probability(),
        u_minus=probability(),
        u_search=probability(),
        u_backoff=probability(),
        u_min=probability(),
        stabilise=["split", "shared", "off"][rng.integers(3)],
        stabilise_search=bool(rng.integers(2)),
        seed=int(rng.integers(1, 65_536)),
    )


def random_volleys(
    rng: np.random.Generator, column: ColumnConfig, waves: int, lines: int | None = None
) -> np.ndarray:
    """Draw volleys in which about a third of the lines never spikes."""
    shape = (waves, column.p if lines is None else lines)
    times = rng.integers(0, column.t_in, shape)
    return np.where(rng.random(shape) < 0.35, column.none, times).astype(column.times_dtype)


def random_weights(rng: np.random.Generator, column: ColumnConfig, columns: int) -> np.ndarray:
    """Draw weights, columns x q x p."""
    shape = (columns, column.q, column.p)
    return rng.integers(0, column.w_max, shape, np.uint8, endpoint=True)


def every_volley(p: int, column: ColumnConfig) -> np.ndarray:
    """Every volley of `p` lines."""
    codes = [*range(column.t_in), column.none]
    return np.stack(np.meshgrid(*[codes] * p, indexing="ij"), -1).reshape(-1, p).astype(np.uint8)


def every_weight(p: int, w_max: int) -> np.ndarray:
    """Every weight vector of one neuron."""
    values = np.arange(w_max + 1, dtype=np.uint8)
    return np.stack(np.meshgrid(*[values] * p, indexing="ij"), -1).reshape(-1, p)


def tiny_columns(most_p: int = 3, most_q: int = 2, most_w: int = 2) -> Iterator[ColumnConfig]:
    """Every tiny column: shape, response, threshold, k and tie, with one to three input steps."""
    for p in range(1, most_p + 1):
        for q in range(1, most_q + 1):
            for w_max in range(1, most_w + 1):
                for t_in in (1, 2) if p == 3 else (1, 2, 3):
                    for theta in range(1, p * w_max + 1):
                        for response in ("rnl", "snl"):
                            for k in range(1, q + 1):
                                for tie in ("index", "potential"):
                                    yield ColumnConfig(
                                        p=p,
                                        q=q,
                                        w_max=w_max,
                                        t_in=t_in,
                                        theta=theta,
                                        response=response,
                                        k=k,
                                        tie=tie,
                                    )
