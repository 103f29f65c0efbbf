"""The tables of a config: what a column, an input, a layer, a read-out and hardware may be."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)

__all__ = [
    "ColumnConfig",
    "ColumnOverrides",
    "HardwareConfig",
    "InputConfig",
    "LayerConfig",
    "ReadoutConfig",
    "Table",
    "TrainConfig",
]


class Table(BaseModel):
    """A TOML table: frozen, unknown keys refused, no silent conversion of strings to numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _freeze_lists(cls, data: Any) -> Any:
        if isinstance(data, dict):
            data = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return data


Side = Annotated[int, Field(ge=1, le=1024)]


class ColumnConfig(Table):
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
    randomness: Literal["layer", "synapse"] = Field(
        default="layer", description="one set of draws per wave for the layer, or per synapse"
    )
    seed: int = Field(
        default=0xACE1, ge=1, le=65_535, description="state of the 16-bit LFSR at power-up"
    )
    initial_w: int | tuple[int, int] = Field(
        default=0, description="weight before training, or [low, high] for seeded uniform weights"
    )

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


class InputConfig(Table):
    """Images (8 bit) and how a pixel becomes spike times."""

    image: tuple[Side, Side] = Field(default=(28, 28), description="rows and columns of the image")
    encoder: Literal["posneg", "posneg-graded", "intensity", "onoff", "poisson"] = Field(
        default="posneg", description="pixel to spike times"
    )

    @property
    def lines_per_pixel(self) -> int:
        """Input lines that one pixel drives."""
        return 1 if self.encoder in ("intensity", "poisson") else 2


def _optional() -> dict[str, Any]:
    """Every key of ``[column]`` with its rule, and None as default."""
    found = {}
    for name, info in ColumnConfig.model_fields.items():
        kind: Any = info.annotation
        for rule in info.metadata:
            kind = Annotated[kind, rule]
        found[name] = (kind | None, Field(default=None, description=info.description))
    return found


ColumnOverrides: type[Table] = create_model("ColumnOverrides", __base__=Table, **_optional())


class LayerConfig(Table):
    """A grid of columns on receptive fields of the image or of an earlier layer."""

    field: int | tuple[Side, Side] = Field(
        default=4,
        description="receptive field in positions of the source: side, or [rows, columns]",
    )
    stride: int = Field(
        default=4, ge=1, le=1024, description="distance of neighbouring fields, in positions"
    )
    copies: int = Field(default=1, ge=1, le=256, description="columns on each field")
    source: Literal["input"] | int | None = Field(
        default=None,
        description="`input` or the number of an earlier layer, counted from 1; "
        "not given: the layer before, the first one the input",
    )
    engines: int | None = Field(
        default=None, ge=1, le=65_536, description="column engines; not given: hardware.engines"
    )
    column: ColumnOverrides | None = Field(  # type: ignore  # a type made at run time
        default=None, description="keys that differ from `[column]`"
    )

    @field_validator("field", mode="before")
    @classmethod
    def _check_field(cls, value: Any) -> Any:
        sides = value if isinstance(value, tuple) else (value, value)
        good = [type(side) is int and 1 <= side <= 1024 for side in sides]
        if len(sides) != 2 or not all(good):
            shown = list(value) if isinstance(value, tuple) else value
            raise ValueError(
                f"layer.field must be a side in 1..1024, or [rows, columns], not {shown!r}"
            )
        return value

    @field_validator("source", mode="before")
    @classmethod
    def _check_source(cls, value: Any) -> Any:
        if value is not None and value != "input" and (type(value) is not int or value < 1):
            raise ValueError(
                f"layer.source must be 'input' or the number of an earlier layer, not {value!r}"
            )
        return value

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of a receptive field."""
        return (self.field, self.field) if isinstance(self.field, int) else self.field


class ReadoutConfig(Table):
    """How winners of the final layers become a class."""

    kind: Literal["linear", "perceptron", "dual-voter", "tally"] = Field(
        default="linear",
        description="sum of trained weights, sum of weights or counters that learn on line, or "
        "counted labels",
    )
    classes: int = Field(default=10, ge=2, le=256, description="classes")
    bits: int = Field(
        default=8, ge=2, le=8, description="bits of a signed weight (linear, perceptron)"
    )
    margin: int = Field(
        default=200,
        ge=0,
        le=32_767,
        description="the label's sum must lead by so much, or weights change (perceptron)",
    )

    @property
    def learns(self) -> bool:
        """Whether it learns on line, from a label sent with the volley."""
        return self.kind in ("perceptron", "dual-voter")

    @property
    def weighs(self) -> bool:
        """Whether it sums rows of signed weights."""
        return self.kind in ("linear", "perceptron")

    @model_serializer(mode="wrap")
    def _leave_out(self, serialize: Any) -> dict[str, Any]:
        data = serialize(self)
        if self.kind != "perceptron":
            del data["margin"]
        return data

    @model_validator(mode="after")
    def _check(self) -> "ReadoutConfig":
        if not self.weighs and self.bits != 8:
            raise ValueError(f"bits must come with kind linear or perceptron, not {self.kind}")
        if self.kind != "perceptron" and self.margin != 200:
            raise ValueError(f"margin must come with kind perceptron, not {self.kind}")
        if self.kind == "tally" and self.classes > 255:
            raise ValueError(f"classes must be in 2..255 (kind tally), not {self.classes}")
        return self


class TrainConfig(Table):
    """How `racewave train` makes a model of the config."""

    seed: int = Field(default=0, ge=0, description="order of images, initial values, batches")
    images: int = Field(
        default=10_000, ge=1, description="images that the columns see (without labels)"
    )
    passes: int = Field(default=1, ge=1, description="times that the columns see them")
    winners: int | None = Field(
        default=None, ge=1, description="winners per wave while the columns learn; not given: k"
    )
    readout_images: int = Field(
        default=60_000, ge=1, description="labelled images for the read-out"
    )
    epochs: int = Field(default=12, ge=1, description="epochs of the read-out")
    batch: int = Field(default=256, ge=1, description="images per step of the read-out")
    learning_rate: float = Field(default=0.01, gt=0, description="first Adam step of the read-out")
    weight_decay: float = Field(default=0.0, ge=0, description="decay of the read-out weights")
    average: float = Field(
        default=0.0, ge=0, le=1, description="part of the last steps that the weights are mean of"
    )
    shifts: float = Field(
        default=0.0, ge=0, le=16, description="read-out sees images moved by up to so many pixels"
    )
    rotate: float = Field(default=0.0, ge=0, le=180, description="turned by up to so many degrees")
    scale: float = Field(default=0.0, ge=0, lt=1, description="with sides 1 - scale .. 1 + scale")
    shear: float = Field(default=0.0, ge=0, le=1, description="sheared by up to this part")
    bend: float = Field(
        default=0.0, ge=0, le=16, description="bent, in pixels (standard deviation)"
    )
    gain: float = Field(default=0.0, ge=0, le=1, description="1 - gain .. 1 + gain times as bright")

    @property
    def distorts(self) -> bool:
        """Whether the read-out sees other images in every epoch."""
        return any((self.shifts, self.rotate, self.scale, self.shear, self.bend, self.gain))


class HardwareConfig(Table):
    """What the generated hardware contains."""

    micro_architecture: Literal["spatial", "folded"] = Field(
        default="spatial", description="one circuit per synapse, or engines with weights in RAM"
    )
    engines: int = Field(
        default=1, ge=1, le=65_536, description="column engines per layer (folded)"
    )
    target_fps: float | None = Field(
        default=None, gt=0, description="images per second to reach: the flow picks the engines"
    )
    clock_mhz: float = Field(
        default=50.0, gt=0, le=1_000, description="clock that `target_fps` reckons with"
    )
    learning: bool = Field(default=True, description="with STDP on chip; false: inference only")
    baud: int = Field(
        default=115_200, ge=1_200, le=12_000_000, description="UART rate of board tops"
    )
