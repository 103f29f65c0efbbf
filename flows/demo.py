"""The quick start: the whole path on embedded data, bitstreams in the background."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from racewave.flows import boards, tools
from racewave.flows.build import Built, Options, build
from racewave.flows.console import Console
from racewave.flows.cosim import cosim
from racewave.flows.inputs import open_config, open_data, open_experiment, open_model
from racewave.flows.run import run
from racewave.golden.errors import BadInput
from racewave.golden.train import train

__all__ = ["demo"]

NETWORK, COLUMN = "digits", "cmu-cvt"
LARGE, SMALL = "ulx3s-85f", "icebreaker"


def demo(out: str | Path, images: int | None = None, show: Console | None = None) -> dict[str, Any]:
    """Train `digits`, run it on golden model and RTL, co-simulate with learning, build bitstreams.

    Parameters
    ----------
    out
        Folder for the model and the two builds.
    images
        At most this many training and test images; all if not given.
    show
        Told what goes on.

    Returns
    -------
    dict
        Plain data: `passed`, `seconds`, `steps` (rows of a table), and the report of each step.

    Raises
    ------
    BadInput
        A tool is missing, or the folder cannot be written.
    """
    show, begin = show or Console(), time.monotonic()
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"output folder '{out}' cannot be written: {error.strerror}") from None
    tools.check("yosys", "nextpnr-ice40", "nextpnr-ecp5")
    tools.prepare("yosys", show.say)
    with ThreadPoolExecutor(2, "build") as background:
        try:
            result = _play(folder, images, show, background)
        except BaseException:
            tools.stop_all()
            background.shutdown(cancel_futures=True)
            tools.go_on()
            raise
    return {**result, "seconds": round(time.monotonic() - begin, 1)}


def _play(
    folder: Path, images: int | None, show: Console, background: ThreadPoolExecutor
) -> dict[str, Any]:
    def start(name: str, board: str, options: Options) -> Future[Built]:
        place = folder / f"{Path(name).stem}-{board}"
        return background.submit(
            build, open_model(name), boards.load(board), place, options, show.say
        )

    small = start(COLUMN, SMALL, Options())
    config, path = open_config(NETWORK), folder / f"{NETWORK}.npz"
    data = open_data(config, NETWORK)
    trained = train(config, data, path, images=images, progress=show.progress)
    large = start(str(path), LARGE, Options(fast=True))

    experiment = open_experiment(open_model(str(path)), data_name=NETWORK, images=images)
    golden, on_golden = run(experiment)
    count = len(experiment.times)
    on_waves = show.counter("waves on rtl", count)
    rtl, on_rtl = run(experiment, "rtl", on_waves=on_waves)
    equal = all(
        np.array_equal(getattr(golden, name), getattr(rtl, name))
        for name in ("times", "classes", "weights")
    )
    untrained = replace(experiment, model=open_model(NETWORK))
    compared = cosim(
        untrained,
        [NETWORK],
        mismatches=folder / "mismatches.json",
        on_waves=show.counter("waves compared, learning", count),
    )
    show.say("waiting for the bitstreams")
    builds = {SMALL: small.result(), LARGE: large.result()}
    passed = equal and compared["equal"] and all(built.met for built in builds.values())
    return {
        "passed": passed,
        "steps": _steps(trained.to_dict(), on_golden, on_rtl, equal, compared, builds),
        "train": trained.to_dict(),
        "golden": on_golden.to_dict(),
        "rtl": on_rtl.to_dict() | {"equal": equal},
        "cosim": compared,
        "builds": {name: built.to_dict() for name, built in builds.items()},
    }


def _steps(
    trained: dict[str, Any],
    golden: Any,
    rtl: Any,
    equal: bool,
    compared: dict[str, Any],
    builds: dict[str, Built],
) -> list[dict[str, Any]]:
    """Rows of the table that ends the demo."""
    beside = ", ".join(f"{name} {value} %" for name, value in trained["baselines"].items())
    accuracy = f"{trained['accuracy']} % of {trained['tested']} test images ({beside})"
    verdict = "equal to golden" if equal else "DIFFERS from golden"
    lock_step = "equal" if compared["equal"] else "NOT equal"
    checked = f"{compared['checked']} waves, every time, class and weight {lock_step}"
    rows = [
        (f"train {NETWORK}", accuracy, trained["column_seconds"] + trained["readout_seconds"]),
        ("run on golden", f"{golden.accuracy} % of {golden.waves} images", golden.seconds),
        ("run on rtl", f"{verdict}, {rtl.cycles[1]} cycles per image", rtl.seconds),
        ("cosim, learning", f"{checked} on {compared['simulator']}", compared["seconds"]),
    ]
    for board, built in builds.items():
        report = built.report
        cells = report["resources"]["cells"]
        facts = [
            f"{cells['used']:,} of {cells['available']:,} cells",
            f"{report['core']['luts_per_synapse']} LUT4 per synapse",
            f"Fmax {report['timing']['fmax_mhz']} MHz",
            f"{report['image']['us']} us per image{' (cached)' if built.cached else ''}",
        ]
        rows.append((f"build {report['config']} for {board}", ", ".join(facts), built.seconds))
    return [
        {"step": step, "result": text, "seconds": round(seconds, 1)} for step, text, seconds in rows
    ]
