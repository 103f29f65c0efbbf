"""The command line: what it prints, how it ends, what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from planted import planted

from racewave.flows.cli import execute
from racewave.flows.inputs import open_config
from racewave.golden import archive, column, config, model, presets, volleys
from racewave.golden.volleys import Volleys
from racewave.hw import verilog
from racewave.hw.verilog import export

RACEWAVE = Path(sys.executable).with_name("racewave")


@pytest.fixture
def play(tmp_path):
    """A volley file for cmu-cvt that brings its own weights."""
    rng = np.random.default_rng(3)
    times = np.where(rng.random((50, 32)) < 0.5, 0, 7).astype(np.uint8)
    weights = rng.integers(0, 8, (12, 32), np.uint8)
    volleys.save(tmp_path / "in.npz", Volleys(times, None, weights))
    return tmp_path / "in.npz", times, weights


def line(arguments, capsys):
    """What bad input is answered with: one line on standard error and nothing else."""
    status = execute([str(a) for a in arguments])
    printed = capsys.readouterr()
    assert (status, printed.out, printed.err.count("\n")) == (2, "", 1), printed
    assert printed.err.startswith("racewave: ")
    return printed.err[len("racewave: ") : -1]


def result(arguments, capsys, status=0):
    """The one JSON object of a verb."""
    assert execute([*map(str, arguments), "--json"]) == status
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1
    return json.loads(printed.out)


WRONG = [
    (["runn"], "unknown verb 'runn'; did you mean 'run'?"),
    (["--jsn"], "unknown option '--jsn'; allowed: --version, --help"),
    (["run", "digits", "--images"], "Option '--images' requires an argument."),
    (["zzz"], "unknown verb 'zzz'; allowed: presets, config, train, run, cosim, generate, build"),
    (["run", "digits", "--imges", "3"], "run: unknown option '--imges'; did you mean '--images'?"),
    (["run"], "run: MODEL|CONFIG must be given; see racewave run --help"),
    (["train", "digits"], "train: -o must be given; see racewave train --help"),
    (["build", "digits"], "build: --board must be given; see racewave build --help"),
    (["run", "cmu-cv"], "preset or file must exist, not 'cmu-cv'; did you mean 'cmu-cvt'?"),
    (["run", "digits", "--images", "0"], "--images must be an integer at least 1, not '0'"),
    (["run", "digits", "--seed", "x"], "--seed must be an integer at least 0, not 'x'"),
    (["run", "digits", "--on", "gates"], "level must be golden or rtl, not 'gates', which is not"),
    (["run", "digits", "--on", "goldn"], "level must be golden or rtl, not 'goldn'; did you mean"),
    (["run", "cmu-cvt"], "--input must be given: cmu-cvt takes volleys of 32 spike times"),
    (["run", "cmu-cvt", "--data", "digits"], "config cmu-cvt must have an [input] table to take"),
    (["run", "digits", "--data", "mnits"], "data must be 'digits', 'mnist' or a folder, not 'mn"),
    (["run", "mnist-49", "--data", "digits"], "images of digits must be 28 x 28 (config mnist-49"),
    (
        ["run", "digits", "--waves", "x.fst"],
        "--waves must come with --on rtl, not with --on g",
    ),
    (["run", "digits", "--input", "a", "--data", "digits"], "--input and --data must not be given"),
    (["run", "no.npz"], "model file 'no.npz' cannot be read: No such file or directory"),
    (["run", "cmu-cvt", "--input", "no.npz"], "volley file 'no.npz' cannot be read: No such file"),
    (["build", "digits", "--board", "icebraker"], "board must be known, not 'icebraker'; did you"),
    (["cosim", "digits", "--stalls", "2"], "--stalls must be 0 or 0.5, not '2'"),
    (["cosim", "digits", "--first-wave", "2"], "--first-wave must come with --waves"),
    (["cosim", "digits", "--simulator", "icaros"], "simulator must be verilator or icarus, not"),
    (["config"], "config must get one of PRESET, --page and --schema; presets: cmu-cvt"),
    (["config", "digits", "--page"], "config must get one of PRESET, --page and --schema"),
    (["presets", "extra"], "presets: Got unexpected extra argument (extra)"),
    (["bench", "acuracy"], "bench must be known, not 'acuracy'; did you mean 'accuracy'?"),
    (["train", "cmu-cvt", "-o", "m.npz"], "config cmu-cvt must have an [input] table to take"),
    (["bench", "area", "--plot", "a.svg"], "--plot must come with scaling or scaling-routed, not"),
    (["bench", "scaling", "--plot", "no/a.svg"], "output file 'no/a.svg' cannot be written: no su"),
    (["build", "digits", "--board", "hx8k", "--count", "0"], "--count must be an integer at least"),
    (["generate", "digits", "-o", "/dev/null/x"], "output folder '/dev/null/x' cannot be written"),
]


@pytest.mark.parametrize(("arguments", "start"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_bad_input_is_one_line(arguments, start, capsys):
    assert line(arguments, capsys).startswith(start)


def test_broken_files(tmp_path, capsys, play):
    whole = play[0].read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    cut = tmp_path / "cut.npz"
    assert line(["run", cut], capsys).endswith("must be a whole .npz archive: truncated or edited")
    assert "truncated or edited" in line(["run", "cmu-cvt", "--input", cut], capsys)
    assert line(["run", tmp_path / "."], capsys).startswith("preset or file must exist, not")
    (tmp_path / "d.npz").mkdir()
    assert line(["run", tmp_path / "d.npz"], capsys).endswith("cannot be read: Is a directory")


def test_output_that_cannot_be_written(tmp_path, capsys, play):
    before = set(tmp_path.iterdir())
    out = tmp_path / "no" / "out.npz"
    said = line(["run", "cmu-cvt", "--input", play[0], "-o", out], capsys)
    assert said.startswith(f"output file '{out}' cannot be written")
    said = line(["train", "digits", "-o", out], capsys)
    assert said == f"output file '{out}' cannot be written: no such folder"
    said = line(["run", "cmu-cvt", "--input", play[0], "-o", tmp_path], capsys)
    assert said == f"output file '{tmp_path}' cannot be written: it is a folder"
    assert set(tmp_path.iterdir()) == before


def test_run_writes_what_the_reference_says(tmp_path, capsys, play):
    path, times, weights = play
    out = tmp_path / "out.npz"
    arguments = ["run", "cmu-cvt", "--on", "golden", "--input", path, "--learn", "-o", out]
    said = result(arguments, capsys)
    got = archive.read(out, "volley")
    wanted = column.run(times, weights, presets.load("cmu-cvt").column, True)
    assert_array_equal(got["times"], wanted[0])
    assert_array_equal(got["weights"], wanted[1].reshape(12, 32))
    assert sorted(got) == ["times", "weights"]
    assert (said["waves"], said["learn"], said["on"], said["out"]) == (50, True, "golden", str(out))
    assert said["spikes"] == int((wanted[0] != 7).sum())


def test_images_takes_the_first(tmp_path, capsys, play):
    for count, name in ((50, "all"), (7, "few")):
        out = tmp_path / f"{name}.npz"
        result(["run", "cmu-cvt", "--input", play[0], "--images", count, "-o", out], capsys)
    few, whole = (archive.read(tmp_path / f"{n}.npz", "volley")["times"] for n in ("few", "all"))
    assert_array_equal(few, whole[:7])


def test_train_then_run_gives_the_same_accuracy(tmp_path, capsys):
    path = tmp_path / "m.npz"
    trained = result(["train", "digits", "-o", path, "--images", 300, "--no-baselines"], capsys)
    shown = result(["run", path, "--on", "golden", "--data", "digits"], capsys)
    assert shown["accuracy"] == trained["accuracy"]
    assert (shown["waves"], shown["correct"]) == (360, trained["correct"])
    assert execute(["run", str(path)]) == 0
    printed = capsys.readouterr()
    assert f"{trained['accuracy']} % ({trained['correct']} of 360 digits test" in printed.out


def test_presets_and_config(capsys):
    rows = result(["presets"], capsys)["presets"]
    assert [row["preset"] for row in rows] == presets.names()
    assert {row["preset"]: row["synapses"] for row in rows}["mnist-625"] == 240_000
    assert result(["config", "lab847"], capsys) == presets.load("lab847").to_dict()
    assert execute(["config", "lab847"]) == 0
    assert capsys.readouterr().out == presets.text("lab847")
    assert execute(["config", "--page"]) == 0
    assert (
        capsys.readouterr().out == Path(__file__).parents[1].joinpath("docs/config.md").read_text()
    )
    assert execute(["config", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"]


@pytest.mark.parametrize("name", presets.names())
def test_a_printed_preset_is_a_config_file(name, tmp_path):
    (tmp_path / "c.toml").write_text(presets.text(name))
    assert open_config(str(tmp_path / "c.toml")) == presets.load(name)


@pytest.mark.parametrize("verb", ["", "train", "run", "cosim", "generate", "build", "bench"])
def test_help(verb, capsys):
    assert execute([*filter(None, [verb]), "--help"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"Usage: racewave {verb}".rstrip())
    assert printed.err == ""


def test_verbs_without_learning_need_no_heavy_imports():
    code = (
        "import sys; from racewave.flows.cli import execute\n"
        "assert execute(['config', 'digits']) == 0\n"
        "print(sorted({'torch', 'numba', 'amaranth', 'cocotb', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_interrupt_is_one_line_and_leaves_a_checkpoint(tmp_path):
    text = presets.text("digits").replace("epochs = 60", "epochs = 1000000")
    (tmp_path / "long.toml").write_text(text)
    process = subprocess.Popen(
        [RACEWAVE, "train", "long.toml", "-o", "m.npz", "--images", "50", "--jobs", "1"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for said in process.stderr:
        if said.startswith("read-out: "):  # epochs are running
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "racewave: interrupted"
    assert "Traceback" not in err
    assert out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["long.toml", "m.npz.ckpt.npz"]


def test_a_reader_that_leaves_early():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [RACEWAVE, "config", "digits"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 0


def test_jobs_changes_nothing(tmp_path, play):
    outs = []
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.npz"
        command = [RACEWAVE, "run", "cmu-cvt", "--input", play[0], "--learn", "-o", out]
        subprocess.run([*command, "--jobs", jobs], check=True, capture_output=True)
        outs.append(out.read_bytes())
    assert outs[0] == outs[1]


def test_model_files_run_like_their_config(tmp_path, capsys, play):
    path, times, weights = play
    whole = model.initial(presets.load("cmu-cvt")).with_weights(weights)
    model.save(tmp_path / "m.npz", whole)
    volleys.save(tmp_path / "bare.npz", Volleys(times))
    for name, shown, file in (("a", "cmu-cvt", path), ("b", tmp_path / "m.npz", "bare.npz")):
        source = tmp_path / file
        result(["run", shown, "--input", source, "-o", tmp_path / f"{name}.npz"], capsys)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


SMALL = "name = 'small'\n[column]\np = 6\nq = 3\ntheta = 9\nt_in = 3\nu_search = 512\n"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small column and volleys for it, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SMALL)
    rng = np.random.default_rng(1)
    times = rng.integers(0, 3, (40, 6), np.uint8)
    times[rng.random(times.shape) < 0.3] = 15
    volleys.save("in.npz", Volleys(times, None, rng.integers(0, 8, (3, 6), np.uint8)))
    return tmp_path


def test_rtl_writes_what_golden_writes(small, capsys):
    run = ["run", "small.toml", "--input", "in.npz", "--learn"]
    result([*run, "--on", "golden", "-o", "a.npz"], capsys)
    said = result([*run, "--on", "rtl", "-o", "b.npz", "--waves", "w.fst"], capsys)
    golden, rtl = archive.read("a.npz", "volley"), archive.read("b.npz", "volley")
    cycles = rtl.pop("cycles")
    assert list(golden) == list(rtl)
    for name in golden:
        assert_array_equal(golden[name], rtl[name])
    assert said["cycles"] == [int(cycles.min()), int(cycles.max())]
    assert Path("w.fst").stat().st_size > 0


def test_cosim_compares_everything(small, capsys):
    said = result(["cosim", "small.toml", "--input", "in.npz", "--stalls", "0.5"], capsys)
    assert (said["equal"], said["checked"], said["learn"]) == (True, 40, True)
    assert said["file"] is None
    drawn = result(["cosim", "small.toml", "--images", "30", "--frozen"], capsys)
    assert (drawn["equal"], drawn["checked"], drawn["learn"]) == (True, 30, False)
    assert not Path("mismatches.json").exists()


def test_a_mismatch_is_status_1_with_a_command_that_replays_it(small, capsys, monkeypatch):
    healthy = export(config.load("small.toml"))
    broken = planted(healthy, "wta", r"~ ?fire;", "~{fire[0], fire[1], fire[2]};")
    monkeypatch.setattr(verilog, "export", lambda *_: broken)
    said = result(["cosim", "small.toml", "--input", "in.npz"], capsys, status=1)
    assert not said["equal"]
    written = json.loads(Path(said["file"]).read_text())
    first = written["mismatch"]
    assert first == said["mismatch"]
    assert first["wave"] == said["checked"]
    assert said["command"] == (
        f"racewave cosim small.toml --input in.npz --images {first['wave'] + 1} "
        f"--first-wave {first['wave']} --waves wave-{first['wave']}.fst"
    )
    again = result(said["command"].split()[1:], capsys, status=1)
    assert again["mismatch"] == first
    assert Path(f"wave-{first['wave']}.fst").stat().st_size > 0
