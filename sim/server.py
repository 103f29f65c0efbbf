"""The cocotb test of every simulation: plays orders that arrive on a pipe.

It runs inside the simulator. An order sets registers of the bench, toggles `go`, sleeps until the
bench toggles `done` and reads registers back: one wake-up per order, not per clock. A message is a
JSON list of orders, its answer the list of what they read; long values are strings of 0 and 1, and
a register of an instance is named with a dot.
"""

from __future__ import annotations

import json
import os
from multiprocessing.connection import Connection
from operator import attrgetter

import cocotb


@cocotb.test()
async def serve(bench):
    """Play orders until the pipe is closed."""
    every_clock = os.environ.get("RACEWAVE_WAKE") == "clock"
    with Connection(int(os.environ["RACEWAVE_PIPE"])) as pipe:
        while True:
            try:
                orders = json.loads(pipe.recv_bytes())
            except EOFError:
                return
            answers = [await play(bench, order, every_clock) for order in orders]
            pipe.send_bytes(json.dumps(answers).encode())


async def play(bench, order: dict, every_clock: bool) -> dict[str, str]:
    """Play one order; `every_clock` wakes up at every clock, to measure what that costs."""
    for name, value in order["set"].items():
        getattr(bench, name).value = value
    done = bench.done.value
    bench.go.value = ~bench.go.value
    if every_clock:
        while bench.done.value == done:
            await bench.clocks.value_change
    else:
        await bench.done.value_change
    return {name: str(attrgetter(name)(bench).value) for name in order["get"]}
