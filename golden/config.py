"""One schema for every experiment: what a network is, before it has weights.

A config is a frozen pydantic model read from TOML. The golden model, the hardware generator, the
simulation and the flow all take the same object. Ref: Smith, "Space-Time Algebra" (2018); Nair,
Shen & Smith, "A Microarchitecture Implementation Framework for Online Learning with Temporal
Neural Networks" (2021).
"""

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from racewave.golden import complaints, stage
from racewave.golden.errors import BadInput
from racewave.golden.stage import Stage
from racewave.golden.tables import (
    ColumnConfig,
    ColumnOverrides,
    HardwareConfig,
    InputConfig,
    LayerConfig,
    ReadoutConfig,
    Table,
    TrainConfig,
)

__all__ = [
    "ColumnConfig",
    "ColumnOverrides",
    "Config",
    "HardwareConfig",
    "InputConfig",
    "LayerConfig",
    "ReadoutConfig",
    "TrainConfig",
    "from_dict",
    "from_toml",
    "load",
]


class Config(Table):
    """A network of temporal columns.

    A lone column has only the table ``[column]``: a volley is ``p`` spike times. With ``[input]``
    and ``[[layer]]`` tables, columns lie on grids of receptive fields over an image or over an
    earlier layer, and a ``[readout]`` may turn the winners of the final layers into a class.
    ``column`` is the table ``[column]`` with the ``p`` of the first layer; its time code is that
    of the input. `stages` holds every layer with everything resolved.
    """

    engine: Literal["tnn"] = Field(default="tnn", description="family of networks")
    name: str = Field(default="column", pattern=r"^[a-z][a-z0-9-]{0,40}$", description="short name")
    description: str = Field(default="", max_length=400, description="what it reproduces")
    column: ColumnConfig = ColumnConfig()
    input: InputConfig | None = None
    layer: tuple[LayerConfig, ...] = ()
    readout: ReadoutConfig | None = None
    train: TrainConfig = TrainConfig()
    hardware: HardwareConfig = HardwareConfig()

    @model_validator(mode="before")
    @classmethod
    def _derive_p(cls, data: Any) -> Any:
        """Fill in ``column.p`` where the first layer settles it."""
        if not isinstance(data, dict) or not data.get("layer"):
            return data
        column = data.get("column", {})
        if not isinstance(column, dict) or "p" in column:
            return data
        try:
            first = LayerConfig.model_validate(data["layer"][0])
            source = InputConfig.model_validate(data.get("input"))
        except (ValidationError, LookupError, TypeError):
            return data  # the fault is found again where it is
        lines = first.sides[0] * first.sides[1] * source.lines_per_pixel
        return {**data, "column": {**column, "p": lines}} if lines <= stage.MOST_LINES else data

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if bool(self.layer) != (self.input is not None):
            given, missing = ("[[layer]]", "[input]") if self.layer else ("[input]", "[[layer]]")
            raise ValueError(f"{given} must come with {missing}, not alone")
        if self.readout is not None and self.input is None:
            raise ValueError("[readout] must come with [input] and [[layer]], not alone")
        stages, winners = self.stages, self.train.winners or 1
        for layer in stages:
            q = layer.column.q
            if winners > q:
                raise ValueError(f"train.winners must be in 1..{q} (q neurons), not {winners}")
        if len(self.layer) == 1 and self.layer[0].column is not None:  # one layer: one table
            object.__setattr__(self, "column", stages[0].column)
            plain = self.layer[0].model_copy(update={"column": None})
            object.__setattr__(self, "layer", (plain,))
        stage.check_hardware(self)  # type: ignore
        return self

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Every layer with everything resolved, in file order; a lone column is one stage."""
        return stage.resolve(self.column, self.input, self.layer, self.hardware.engines)  # type: ignore

    @property
    def finals(self) -> tuple[Stage, ...]:
        """Layers that are no other layer's source: the outputs of the network."""
        return stage.finals(self.stages)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the grid of the first layer; 1 x 1 for a lone column."""
        return self.stages[0].grid

    @property
    def columns(self) -> int:
        """Number of columns of all layers."""
        return sum(layer.columns for layer in self.stages)

    @property
    def lines(self) -> int:
        """Input lines of the whole network."""
        if self.input is None:
            return self.column.p
        return self.input.image[0] * self.input.image[1] * self.input.lines_per_pixel

    @property
    def outputs(self) -> int:
        """Output lines of the whole network: those of the final layers."""
        return sum(layer.outputs for layer in self.finals)

    @property
    def synapses(self) -> int:
        """Plastic synapses of the whole network."""
        return sum(layer.synapses for layer in self.stages)

    @property
    def readout_times(self) -> tuple[int, ...]:
        """Values of min(time, 2) that a winner of a final layer can have, for encoded images."""
        return stage.readout_times(self.stages, self.input)

    def field_lines(self) -> np.ndarray:
        """Which input line feeds which synapse of the first layer: int64, columns x p.

        Examples
        --------
        >>> Config().field_lines()[:, :4]
        array([[0, 1, 2, 3]])
        """
        return self.stages[0].field_lines()

    @property
    def hash(self) -> str:
        """Identity of the network: 16 hex digits over everything but names and training."""
        what = self.model_dump(mode="json", exclude={"name", "description", "train"})
        text = json.dumps(what, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def module_name(self) -> str:
        """Name of the top module in Verilog."""
        return "racewave_" + re.sub(r"[^a-z0-9_]", "_", self.name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as it is stored in model files: only JSON types."""
        return self.model_dump(mode="json", exclude_none=True)


def from_dict(data: dict[str, Any], source: str = "config") -> Config:
    """Check plain data against the schema.

    Parameters
    ----------
    data
        Nested tables, as TOML or JSON gives them.
    source
        What to call it in error messages.

    Raises
    ------
    BadInput
        One line with the first fault.

    Examples
    --------
    >>> from_dict({"engine": "tnn", "column": {"p": 2, "theta": 15}})
    Traceback (most recent call last):
    ...
    racewave.golden.errors.BadInput: config: theta must be in 1..14 (2 synapses x w_max 7), not 15
    """
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise BadInput(f"{source}: {complaints.one_line(error, Config)}") from None


def from_toml(text: str, source: str = "config") -> Config:
    """Parse and check TOML text; raises `BadInput` as `from_dict` does."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{source}: not valid TOML: {error}") from None
    return from_dict(data, source)


def load(name: str | Path) -> Config:
    """Read a config: a path to a ``.toml`` file, or the name of a preset.

    Raises
    ------
    BadInput
        No such preset or file, or the file is not a valid config.

    Examples
    --------
    >>> load("cmu-cvt").column.theta
    40
    """
    from racewave.golden import presets

    path = Path(name)
    if path.suffix == ".toml":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise BadInput(f"config file '{path}' cannot be read: {reason}") from None
        return from_toml(text, str(path))
    return presets.load(str(name))  # type: ignore  # the same class under its package name
