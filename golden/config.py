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
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from racewave.golden.errors import BadInput, nearest

__all__ = [
    "ColumnConfig",
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


class _Table(BaseModel):
    """A TOML table: frozen, unknown keys refused, no silent conversion of strings to numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


Side = Annotated[int, Field(ge=1, le=1024)]


class ColumnConfig(_Table):
    """A column of ``q`` neurons that share ``p`` input lines, with k-WTA and STDP.

    The defaults are the ``cmu-cvt`` preset. All times are in steps of the wave.
    """

    p: int = Field(default=32, ge=1, le=65_536, description="synapses (input lines) per neuron")
    q: int = Field(default=12, ge=1, le=4_096, description="neurons")
    theta: int = Field(default=40, ge=1, description="threshold of the body potential, 1..p*w_max")
    t_in: int = Field(
        default=1, ge=1, le=128, description="input steps: a line spikes at 0..t_in-1 or never"
    )
    w_max: int = Field(default=7, ge=1, le=127, description="largest weight; weights are 0..w_max")
    response: Literal["rnl", "snl"] = Field(default="rnl", description="ramp or step, no leak")
    k: int = Field(default=1, ge=1, description="winners per wave, 1..q")
    tie: Literal["index", "potential"] = Field(
        default="index", description="order of equal spike times"
    )
    u_capture: int = Field(default=640, ge=0, description="probability of capture, of 2^prob_bits")
    u_minus: int = Field(default=952, ge=0, description="probability of minus, of 2^prob_bits")
    u_search: int = Field(default=16, ge=0, description="probability of search, of 2^prob_bits")
    u_backoff: int = Field(default=952, ge=0, description="probability of backoff, of 2^prob_bits")
    u_min: int = Field(default=70, ge=0, description="least probability that stabilisation leaves")
    prob_bits: int = Field(default=10, ge=1, le=16, description="bits of a random draw")
    stabilise: Literal["split", "shared", "off"] = Field(
        default="split", description="F+/F- tables"
    )
    stabilise_search: bool = Field(default=False, description="search, too, is gated by F+")
    seed: int = Field(
        default=0xACE1, ge=1, le=65_535, description="state of the 16-bit LFSR at power-up"
    )
    initial_w: int | tuple[int, int] = Field(
        default=0, description="weight before training, or [low, high] for seeded uniform weights"
    )

    @model_validator(mode="before")
    @classmethod
    def _list_is_range(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("initial_w"), list):
            data = {**data, "initial_w": tuple(data["initial_w"])}
        return data

    @model_validator(mode="after")
    def _check(self) -> "ColumnConfig":
        most = self.p * self.w_max
        if self.theta > most:
            raise ValueError(
                f"theta must be in 1..{most} ({self.p} synapses x w_max {self.w_max}), "
                f"not {self.theta}"
            )
        if self.k > self.q:
            raise ValueError(f"k must be in 1..{self.q} (q neurons), not {self.k}")
        certain = 1 << self.prob_bits
        for name in ("u_capture", "u_minus", "u_search", "u_backoff", "u_min"):
            value = getattr(self, name)
            if value > certain:
                raise ValueError(
                    f"{name} must be in 0..{certain} (2^{self.prob_bits} is certain), not {value}"
                )
        low, high = self.initial_range
        if not 0 <= low <= high <= self.w_max:
            raise ValueError(
                f"initial_w must be in 0..{self.w_max} (w_max), or [low, high] within it, "
                f"not {self.initial_w if isinstance(self.initial_w, int) else list(self.initial_w)}"
            )
        return self

    @property
    def initial_range(self) -> tuple[int, int]:
        """Lowest and highest initial weight."""
        w = self.initial_w
        return (w, w) if isinstance(w, int) else w

    @property
    def steps(self) -> int:
        """Steps of a wave: after them, no neuron can fire any more."""
        return self.t_in + self.w_max - 1 if self.response == "rnl" else self.t_in

    @property
    def time_bits(self) -> int:
        """Width of a time code."""
        return self.steps.bit_length()

    @property
    def none(self) -> int:
        """The code of "no spike": all ones."""
        return (1 << self.time_bits) - 1

    @property
    def w_bits(self) -> int:
        """Width of a weight."""
        return self.w_max.bit_length()

    @property
    def v_max(self) -> int:
        """Largest body potential."""
        return self.p * self.w_max

    @property
    def draws(self) -> int:
        """Random draws of a learning wave."""
        return 5 + 2 * (self.w_max + 1)

    @property
    def times_dtype(self) -> np.dtype:
        """Smallest unsigned type for time codes."""
        return np.min_scalar_type(self.none)


class InputConfig(_Table):
    """Images (8 bit) and how a pixel becomes spike times."""

    image: tuple[Side, Side] = Field(default=(28, 28), description="rows and columns of the image")
    encoder: Literal["posneg", "posneg-graded", "intensity", "onoff", "poisson"] = Field(
        default="posneg", description="pixel to spike times"
    )

    @model_validator(mode="before")
    @classmethod
    def _list_is_pair(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("image"), list):
            data = {**data, "image": tuple(data["image"])}
        return data

    @property
    def lines_per_pixel(self) -> int:
        """Input lines that one pixel drives."""
        return 1 if self.encoder in ("intensity", "poisson") else 2


class LayerConfig(_Table):
    """A grid of equal columns, each on a square receptive field."""

    field: int = Field(default=4, ge=1, le=1024, description="side of a receptive field, in pixels")
    stride: int = Field(
        default=4, ge=1, le=1024, description="distance of neighbouring fields, in pixels"
    )


class ReadoutConfig(_Table):
    """Integer read-out: every winner selects a row of weights, the largest sum is the class."""

    kind: Literal["linear"] = Field(default="linear", description="kind of read-out")
    classes: int = Field(default=10, ge=2, le=256, description="classes")
    bits: int = Field(default=8, ge=2, le=8, description="bits of a signed read-out weight")


class TrainConfig(_Table):
    """How `racewave train` makes a model of the config."""

    seed: int = Field(default=0, ge=0, description="order of images, initial values, batches")
    images: int = Field(
        default=10_000, ge=1, description="images that the columns see (without labels)"
    )
    passes: int = Field(default=1, ge=1, description="times that the columns see them")
    readout_images: int = Field(
        default=60_000, ge=1, description="labelled images for the read-out"
    )
    epochs: int = Field(default=12, ge=1, description="epochs of the read-out")
    batch: int = Field(default=256, ge=1, description="images per step of the read-out")
    learning_rate: float = Field(default=0.01, gt=0, description="Adam step of the read-out")
    weight_decay: float = Field(default=0.0, ge=0, description="decay of the read-out weights")
    shifts: int = Field(
        default=0, ge=0, le=4, description="read-out also sees images shifted by 0..shifts"
    )


class HardwareConfig(_Table):
    """What the generated hardware contains."""

    micro_architecture: Literal["spatial"] = Field(
        default="spatial", description="one circuit per synapse"
    )
    learning: bool = Field(default=True, description="with STDP on chip; false: inference only")
    baud: int = Field(
        default=115_200, ge=1_200, le=12_000_000, description="UART rate of board tops"
    )


class Config(_Table):
    """A network of temporal columns.

    A lone column has only the table ``[column]``: a volley is ``p`` spike times. With ``[input]``
    and one ``[[layer]]``, the columns lie on a grid of receptive fields over an image, ``p`` is
    ``field * field * lines per pixel``, and a ``[readout]`` may turn winners into a class.
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
    def _list_is_layers(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("layer"), list):
            data = {**data, "layer": tuple(data["layer"])}
        return data

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if bool(self.layer) != (self.input is not None):
            given, missing = ("[[layer]]", "[input]") if self.layer else ("[input]", "[[layer]]")
            raise ValueError(f"{given} must come with {missing}, not alone")
        if len(self.layer) > 1:
            raise ValueError(f"layer must be given at most once, not {len(self.layer)} times")
        if self.input is None:
            if self.readout is not None:
                raise ValueError("[readout] must come with [input] and [[layer]], not alone")
            return self
        layer = next(iter(self.layer))
        for axis, side in zip(("rows", "columns"), self.input.image, strict=True):
            if layer.field > side:
                raise ValueError(
                    f"field must be in 1..{side} (image {axis} {side}), not {layer.field}"
                )
        needed = layer.field**2 * self.input.lines_per_pixel
        if self.column.p != needed:
            raise ValueError(
                f"p must be {needed} (field {layer.field} x {layer.field} x "
                f"{self.input.lines_per_pixel} lines per pixel), not {self.column.p}"
            )
        if self.input.encoder == "posneg" and self.column.t_in != 1:
            raise ValueError(
                f"t_in must be 1 (encoder posneg has one step), not {self.column.t_in}"
            )
        return self

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the grid of columns; 1 x 1 for a lone column."""
        if self.input is None:
            return (1, 1)
        layer, *_ = self.layer
        rows, columns = self.input.image
        return (
            (rows - layer.field) // layer.stride + 1,
            (columns - layer.field) // layer.stride + 1,
        )

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.grid[0] * self.grid[1]

    @property
    def lines(self) -> int:
        """Input lines of the whole network."""
        if self.input is None:
            return self.column.p
        return self.input.image[0] * self.input.image[1] * self.input.lines_per_pixel

    @property
    def outputs(self) -> int:
        """Output lines of the whole network: columns x q."""
        return self.columns * self.column.q

    @property
    def synapses(self) -> int:
        """Plastic synapses of the whole network."""
        return self.outputs * self.column.p

    def field_lines(self) -> np.ndarray:
        """Which input line feeds which synapse.

        Returns
        -------
        numpy.ndarray
            int64, columns x p; lines are numbered pixel by pixel in row-major order, the lines of
            one pixel next to each other.

        Examples
        --------
        >>> Config().field_lines()[:, :4]
        array([[0, 1, 2, 3]])
        """
        if self.input is None:
            return np.arange(self.column.p)[None, :]
        (layer,), per_pixel = self.layer, self.input.lines_per_pixel
        lines = np.arange(self.lines).reshape(*self.input.image, per_pixel)
        windows = np.lib.stride_tricks.sliding_window_view(
            lines, (layer.field, layer.field), axis=(0, 1)
        )[:: layer.stride, :: layer.stride]
        # Window axes come last: rows, columns, line, fy, fx -> rows, columns, fy, fx, line.
        return windows.transpose(0, 1, 3, 4, 2).reshape(self.columns, self.column.p).copy()

    @cached_property
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


def _known_keys(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Names that are allowed in the table at ``path``."""
    tables: dict[str, type[BaseModel]] = {
        "column": ColumnConfig,
        "input": InputConfig,
        "layer": LayerConfig,
        "readout": ReadoutConfig,
        "train": TrainConfig,
        "hardware": HardwareConfig,
    }
    for part in path:
        if isinstance(part, str) and part in tables:
            model = tables[part]
    return list(model.model_fields)


def _one_line(error: ValidationError) -> str:
    """The first complaint of pydantic in the house's words."""
    first = error.errors()[0]
    path = first["loc"]
    parts = [str(part) for part in path if not isinstance(part, int)]
    parts = [part for part in parts if part not in ("int", "tuple[int, int]")]
    name = ".".join(parts)
    value, kind, context = first.get("input"), first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key '{name}'{nearest(str(path[-1]), _known_keys(Config, path[:-1]))}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = [text.strip("'") for text in re.findall(r"'[^']*'", context["expected"])]
        return f"{name} must be {' | '.join(allowed)}, not {value!r}{_guess(value, allowed)}"
    rules = {
        "greater_than_equal": lambda: f"at least {context['ge']}",
        "greater_than": lambda: f"more than {context['gt']}",
        "less_than_equal": lambda: f"at most {context['le']}",
        "string_pattern_mismatch": lambda: "lower-case letters, digits and '-' (41 at most)",
        "string_too_long": lambda: f"at most {context['max_length']} characters",
        "int_type": lambda: "an integer",
        "int_from_float": lambda: "an integer",
        "float_type": lambda: "a number",
        "bool_type": lambda: "true or false",
        "string_type": lambda: "a string",
        "tuple_type": lambda: "a list",
        "too_long": lambda: f"a list of {context.get('max_length')}",
        "too_short": lambda: f"a list of {context.get('min_length')}",
        "missing": lambda: "given",
        "model_type": lambda: "a table",
        "model_attributes_type": lambda: "a table",
    }
    rule = rules[kind]() if kind in rules else first["msg"]
    return f"{name} must be {rule}, not {value!r}"


def _guess(value: object, allowed: list[str]) -> str:
    hint = nearest(str(value), allowed)
    return hint if "did you mean" in hint else ""


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
        raise BadInput(f"{source}: {_one_line(error)}") from None


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
