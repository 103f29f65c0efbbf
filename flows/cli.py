"""The command line: every verb parses, calls one function and prints what it returned."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from racewave.flows import console, files, tools
from racewave.flows.console import Console
from racewave.flows.options import Number, OneOf, Shown, Verbs, explain, share, shows
from racewave.golden.errors import BadInput

__all__ = ["main"]

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command line and end the process with its status."""
    status = execute(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def execute(arguments: list[str]) -> int:
    """Run a command line and return its exit status; bad input is one line on standard error."""
    try:
        status = verbs.main(arguments, "racewave", standalone_mode=False)
        return status if isinstance(status, int) else DONE
    except click.UsageError as error:
        return complain(explain(error), BAD_INPUT)
    except BadInput as error:
        return complain(str(error), BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        tools.stop_all()
        return complain("interrupted", INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # click ends like this when the reader has left
        return DONE
    except RuntimeError as error:
        if type(error).__name__ not in ("ToolError", "SimulationError", "BuildError"):
            raise
        print(f"racewave: {error}", file=sys.stderr)
        return FAILED


def complain(text: str, status: int) -> int:
    """Print one line on standard error, whatever the text."""
    print("racewave: " + " ".join(text.split()), file=sys.stderr)
    return status


def answer(as_json: bool, data: dict[str, Any]) -> bool:
    """Print the one JSON object, if that was asked for."""
    if as_json:
        print(json.dumps(data, ensure_ascii=False))
    return as_json


def settle(jobs: int | None, verbose: bool) -> None:
    """Obey --jobs (before libraries start their threads) and -v."""
    if verbose:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if jobs is not None:
        for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(min(jobs, os.cpu_count() or 1))


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="racewave", message="%(prog)s %(version)s")
@click.pass_context
def verbs(context: click.Context) -> None:
    """From a temporal neural network to a verified bitstream, with open tools.

    MODEL is an .npz file; CONFIG is a .toml file or the name of a preset. Exit status: 0 done and
    everything equal, 1 a mismatch or a failed check, 2 bad input.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@verbs.command()
@share()
def presets(as_json: bool, jobs: int | None, verbose: bool) -> None:
    """List presets: engine, size, what they reproduce."""
    from racewave.flows.catalogue import catalogue

    rows = catalogue()
    if not answer(as_json, {"presets": rows}):
        console.table("presets", rows)


@verbs.command()
@click.argument("preset", required=False)
@click.option("--page", is_flag=True, help="The page of all keys, instead.")
@click.option("--schema", is_flag=True, help="The JSON Schema, instead.")
@share()
def config(
    preset: str | None, page: bool, schema: bool, as_json: bool, jobs: int | None, verbose: bool
) -> None:
    """Print a preset as commented TOML (as plain data with --json)."""
    from racewave.golden import presets
    from racewave.golden import schema as schemas

    if page + schema + (preset is not None) != 1:
        raise BadInput(
            "config must get one of PRESET, --page and --schema; "
            f"presets: {', '.join(presets.names())}"
        )
    if page:
        print(schemas.page(), end="")
    elif schema:
        print(json.dumps(schemas.json_schema(), indent=2))
    elif preset is not None and not answer(as_json, presets.load(preset).to_dict()):
        print(presets.text(preset), end="")


@verbs.command()
@click.argument("config")
@click.option("-o", "--out", required=True, metavar="MODEL.npz", help="Where the model goes.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint beside the model.")
@click.option("--no-baselines", is_flag=True, help="Do not measure the baselines.")
@share("data", "data_dir", "images", "seed")
def train(
    config: str,
    out: str,
    resume: bool,
    no_baselines: bool,
    data: str | None,
    data_dir: str | None,
    images: int | None,
    seed: int | None,
    as_json: bool,
    jobs: int | None,
    verbose: bool,
) -> None:
    """Train CONFIG on --data, print accuracy and baselines, write the model."""
    settle(jobs, verbose)
    from racewave.flows.inputs import open_config, open_data
    from racewave.golden.train import train as fit

    files.check_file(out)
    network = open_config(config)
    dataset = open_data(network, data, data_dir)
    with Console() as show:
        report = fit(
            network,
            dataset,
            out,
            seed=seed,
            resume=resume,
            images=images,
            progress=show.progress,
            compare=not no_baselines,
        ).to_dict()
    if not answer(as_json, report):
        baselines = {f"  {name}": f"{value} %" for name, value in report.pop("baselines").items()}
        if report["accuracy"] is not None:
            report["accuracy"] = f"{report['accuracy']} % of {report['tested']:,} test images"
            report["train_accuracy"] = f"{report['train_accuracy']} %"
        console.facts({**report, **baselines})


@verbs.command()
@click.argument("model", metavar="MODEL|CONFIG")
@click.option("--on", default="golden", metavar="LEVEL", help="golden (default) or rtl.")
@click.option("--learn", is_flag=True, help="Apply STDP after every wave.")
@click.option("-o", "--out", metavar="OUT.npz", help="Where times, classes and weights go.")
@shows
def run(
    model: str,
    on: str,
    learn: bool,
    out: str | None,
    shown: Shown,
    as_json: bool,
    jobs: int | None,
    verbose: bool,
) -> None:
    """Play volleys, or the test images of --data, on a level of abstraction."""
    settle(jobs, verbose)
    from racewave.flows.inputs import open_shown
    from racewave.flows.run import check_level
    from racewave.flows.run import run as play
    from racewave.golden.volleys import save_result

    check_level(on)
    for place in (out, shown.waves):
        files.check_file(place)
    experiment = open_shown(model, shown)
    with Console() as show:
        count = show.counter(f"waves on {on}", len(experiment.times))
        result, summary = play(
            experiment, on, learn, shown.simulator, shown.record, count, show.say, out is not None
        )
    if out is not None:
        save_result(out, result, learn)
    data_out = {**summary.to_dict(), "out": out}
    if not answer(as_json, data_out):
        if summary.accuracy is not None:
            tested = f"{summary.correct:,} of {summary.waves:,}"
            data_out["accuracy"] = f"{summary.accuracy} % ({tested} {summary.source})"
            del data_out["correct"]
        if summary.cycles is not None:
            data_out["cycles"] = "{} to {} per wave".format(*summary.cycles)
        console.facts({name: value for name, value in data_out.items() if value is not None})


@verbs.command()
@click.argument("model", metavar="MODEL|CONFIG")
@click.option("--frozen", is_flag=True, help="Without STDP.")
@click.option("--stalls", type=OneOf("0", "0.5"), default="0", help="0.5: streams pause often.")
@click.option("--every", type=Number(1), metavar="N", help="Compare weights after every N waves.")
@click.option("--no-times", is_flag=True, help="Classes and weights alone: clocks as in use.")
@click.option("--first-wave", type=Number(0), default=0, metavar="N", help="Record from wave N on.")
@click.option(
    "-o", "--out", default="mismatches.json", metavar="FILE", help="For the first difference."
)
@shows
def cosim(
    model: str,
    frozen: bool,
    stalls: str,
    every: int | None,
    no_times: bool,
    first_wave: int,
    out: str,
    shown: Shown,
    as_json: bool,
    jobs: int | None,
    verbose: bool,
) -> int:
    """Golden model and RTL in lock step, learning on: every time, class and weight."""
    settle(jobs, verbose)
    from racewave.flows.cosim import cosim as compare
    from racewave.flows.inputs import open_shown

    experiment = open_shown(model, shown, draw=1_000)
    config = experiment.model.config
    with Console() as show:
        report = compare(
            experiment,
            [model, *shown.typed()],
            learn=not frozen and config.hardware.learning,
            simulator=shown.simulator,
            stalls=float(stalls),
            waves=shown.record,
            first_wave=first_wave,
            mismatches=Path(out),
            on_waves=show.counter("waves compared", len(experiment.times)),
            say=show.say,
            every=every,
            times=not no_times,
        )
    if not answer(as_json, {"config": config.name, **report}):
        if report["cycles"] is not None:
            report["cycles"] = "{} to {} per wave, median {}".format(*report["cycles"])
        console.facts({name: value for name, value in report.items() if value is not None})
    return DONE if report["equal"] else FAILED


@verbs.command()
@click.argument("model", metavar="MODEL|CONFIG")
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder for the files.")
@share("seed")
def generate(
    model: str, out: str, seed: int | None, as_json: bool, jobs: int | None, verbose: bool
) -> None:
    """Write Verilog, memory images, manifest, port page and FuseSoC core file."""
    settle(jobs, verbose)
    from racewave.flows.generate import generate as write
    from racewave.flows.inputs import open_model

    shown = open_model(model, seed)
    with Console() as show:
        done = write(shown, out, show.say).to_dict()
    if not answer(as_json, done):
        rows = [{"file": name, "sha256": digest[:16]} for name, digest in done["files"].items()]
        console.table(f"{done['top']} in {out}", rows)


@verbs.command()
@click.argument("model", metavar="MODEL|CONFIG")
@click.option("--board", required=True, metavar="BOARD", help="icebreaker, ulx3s-85f, ...")
@click.option("-o", "--out", metavar="DIR", help="Folder for bitstream and report.")
@click.option("--fast", is_flag=True, help="Place without timing: quicker, lower Fmax.")
@click.option(
    "--count", type=Number(1), metavar="N", help="Count the cycles of N images in simulation."
)
@share("seed")
def build(
    model: str,
    board: str,
    out: str | None,
    fast: bool,
    count: int | None,
    seed: int | None,
    as_json: bool,
    jobs: int | None,
    verbose: bool,
) -> int:
    """Bitstream and report for a board, with open tools; --seed is the placer's."""
    settle(jobs, verbose)
    from racewave.flows import boards
    from racewave.flows.build import Options, count_cycles
    from racewave.flows.build import build as make
    from racewave.flows.inputs import open_model, open_sample

    target = boards.load(board)
    shown = open_model(model, clock_mhz=target.clock_hz / 1e6)
    place = out or f"{shown.config.name}-{target.name}"
    options = Options(1 if seed is None else seed, fast)
    with Console() as show:
        counted = None
        if count is not None:
            counted = count_cycles(open_sample(shown, count), target, place, show.say)
        built = make(shown, target, place, options, show.say, counted)
    if not answer(as_json, built.to_dict()):
        print(built.text, end="")
        print(f"{'Found in the cache' if built.cached else 'Built'} in {built.seconds} s: {place}")
    return DONE if built.met else FAILED


@verbs.command()
@click.option("-o", "--out", default="out/demo", metavar="DIR", help="Folder for everything.")
@share("images")
def demo(out: str, images: int | None, as_json: bool, jobs: int | None, verbose: bool) -> int:
    """The quick start: train digits, run it on golden and RTL, co-simulate, build bitstreams."""
    settle(jobs, verbose)
    from racewave.flows.demo import demo as play

    with Console() as show:
        result = play(out, images, show)
    if not answer(as_json, result):
        console.table("racewave demo", result["steps"])
    return DONE if result["passed"] else FAILED


@verbs.command()
@share()
def doctor(as_json: bool, jobs: int | None, verbose: bool) -> int:
    """Tools, versions, what was picked and why, what is missing and how to get it."""
    from racewave.flows.doctor import doctor as look

    found = look()
    if not answer(as_json, found):
        console.facts({name: found[name] for name in ("racewave", "python", "system", "prefix")})
        console.table("", found["findings"])
        console.facts(found["ready"])
    return DONE


@verbs.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--plot", metavar="FILE.svg", help="Chart of scaling.")
@share("data_dir")
def bench(
    names: tuple[str, ...],
    plot: str | None,
    data_dir: str | None,
    as_json: bool,
    jobs: int | None,
    verbose: bool,
) -> None:
    """Measure: accuracy, speed, area; each figure beside its baseline from the same run."""
    settle(jobs, verbose)
    from racewave.flows import bench_scaling
    from racewave.flows.bench import bench as measure

    files.check_file(plot)
    if plot is not None and not {"scaling", "scaling-routed"} & set(names):
        given = " ".join(names) or "every bench"
        raise BadInput(f"--plot must come with scaling or scaling-routed, not with {given}")
    with Console() as show:
        rows = measure(names, data_dir, show)
    if plot is not None:
        files.write(plot, bench_scaling.plot(rows))
    if not answer(as_json, {"rows": rows}):
        console.table("bench", rows)
