"""Small networks with everything that crosses the line, and what is sent to them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from racewave.golden.config import (
    ColumnConfig,
    Config,
    HardwareConfig,
    InputConfig,
    LayerConfig,
    ReadoutConfig,
)
from racewave.golden.frames import (
    OVERHEAD,
    REPLY,
    STATUS_BYTES,
    Code,
    Command,
    encode,
    missing,
)
from racewave.golden.layout import Layout
from racewave.golden.model import Model

CONFIG = Config(
    name="small",
    input=InputConfig(image=(2, 4)),
    layer=(LayerConfig(field=2, stride=2),),
    column=ColumnConfig(p=8, q=3, theta=10),
    readout=ReadoutConfig(classes=3, bits=8),
)
LAYOUT = Layout(CONFIG)
ENGINES = HardwareConfig(micro_architecture="folded", engines=2)
# The same network folded; with a read-out that learns; two layers without read-out.
FOLDED = Config(**{**dict(CONFIG), "name": "small-folded", "hardware": ENGINES})
VOTER = Config(
    **{**dict(FOLDED), "name": "small-voter"}
    | {"readout": ReadoutConfig(kind="dual-voter", classes=3)}
)
LAYERS = Config(
    name="small-layers",
    input=InputConfig(image=(2, 4)),
    layer=(LayerConfig(field=2, stride=2), LayerConfig(field=(1, 2), copies=2)),
    column=ColumnConfig(p=8, q=3, theta=4, u_search=512),
    hardware=ENGINES,
)
ALIEN = bytes(range(0x30, 0x5A))  # no byte of it begins a frame

READ = encode(Command.READ, 5, bytes([1, 0, 0]))
BAD = {
    "foreign byte": (ALIEN, Code.START),
    "truncated": (READ[:-1], Code.TIMEOUT),
    "only a start": (READ[:1], Code.TIMEOUT),
    "corrupted": (READ[:-3] + b"\x01" + READ[-2:], Code.CRC),
    "corrupted check": (READ[:-1] + b"\x00", Code.CRC),
    "oversize": (b"\x5a\x02\x05\x01\x02" + bytes(20), Code.OVERSIZE),
    "largest length": (b"\x5a\x02\x05\xff\xff", Code.OVERSIZE),
    "repeated": (encode(Command.STATUS, 0), Code.REPEATED),
    "unknown command": (encode(6, 5), Code.COMMAND),
    "command 0": (encode(0, 5), Code.COMMAND),
    "a reply": (encode(0x81, 5), Code.COMMAND),
    "status with payload": (encode(Command.STATUS, 5, b"x"), Code.LENGTH),
    "no address": (encode(Command.WRITE, 5, b""), Code.LENGTH),
    "half an address": (encode(Command.WRITE, 5, b"\0"), Code.LENGTH),
    "part of a row": (encode(Command.WRITE, 5, bytes(4)), Code.LENGTH),
    "row and a bit": (encode(Command.WRITE, 5, bytes(6)), Code.LENGTH),
    "short read": (encode(Command.READ, 5, bytes(2)), Code.LENGTH),
    "long read": (encode(Command.READ, 5, bytes(4)), Code.LENGTH),
    "part of a volley": (encode(Command.VOLLEYS, 5, bytes(7)), Code.LENGTH),
    "no flags": (encode(Command.CONTROL, 5), Code.LENGTH),
    "two flags": (encode(Command.CONTROL, 5, bytes(2)), Code.LENGTH),
    "unknown flag": (encode(Command.CONTROL, 5, b"\x09"), Code.RANGE),
    "write behind the end": (encode(Command.WRITE, 5, b"\x16\x00" + bytes(3)), Code.RANGE),
    "write over the end": (encode(Command.WRITE, 5, b"\x15\x00" + bytes(6)), Code.RANGE),
    "high address": (encode(Command.WRITE, 5, b"\x00\x80" + bytes(3)), Code.RANGE),
    "read over the end": (encode(Command.READ, 5, b"\x02\x15\x00"), Code.RANGE),
    "read of high address": (encode(Command.READ, 5, b"\x01\x00\x01"), Code.RANGE),
    "part of a row, high address": (encode(Command.WRITE, 5, b"\0\1" + bytes(4)), Code.LENGTH),
    "second frame": (READ + READ, Code.BUSY),
    "wrong time": (READ + ALIEN, Code.BUSY),
}


def model(seed: int = 1, config: Config = CONFIG) -> Model:
    """Random weights and read-out."""
    rng = np.random.default_rng(seed)
    weights = tuple(rng.integers(0, 8, stage.shape, np.uint8) for stage in config.stages)
    readout = None
    if config.readout is not None:
        readout = rng.integers(-128, 128, (config.outputs, config.readout.classes)).astype(np.int8)
        if config.readout.kind == "dual-voter":
            readout = np.zeros((config.outputs, 3, config.readout.classes, 2), np.uint8)
            known = list(config.readout_times)
            readout[:, known] = rng.integers(0, 225, readout[:, known].shape)
    return Model(config, weights, readout)


def volleys(rng: np.random.Generator, waves: int, config: Config = CONFIG) -> np.ndarray:
    """Random volleys; a line spikes at 0 or never."""
    return np.where(rng.random((waves, config.lines)) < 0.5, 0, 7).astype(np.uint8)


def volley_bytes(rng: np.random.Generator, waves: int, layout: Layout = LAYOUT) -> bytes:
    """Random volleys as they cross the line, some with labels if the network learns from them."""
    labels = rng.integers(-1, 3, waves) if layout.streams.label_bits else None
    return layout.pack_volleys(volleys(rng, waves, layout.config), labels)


def request(rng: np.random.Generator, number: int, layout: Layout = LAYOUT) -> bytes:
    """A random sound frame, now and then with a payload that must be refused."""
    wild = rng.random() < 0.15
    command = Command(rng.integers(1, 6))
    count = int(rng.integers(0, 4))
    edge = layout.rows - count  # the last address for so many rows
    address = edge + 1 if wild else int(rng.choice([edge, rng.integers(0, edge + 1)]))
    payload = b""
    if command == Command.WRITE:
        # A voter's counters never exceed 224.
        most = 225 if layout.streams.label_bits else 256
        rows = rng.integers(0, most, count * layout.row_bytes, np.uint8).tobytes()
        payload = address.to_bytes(2, "little") + rows
    elif command == Command.READ:
        payload = bytes([count]) + address.to_bytes(2, "little")
    elif command == Command.VOLLEYS:
        payload = volley_bytes(rng, count, layout)
    elif command == Command.CONTROL:
        payload = bytes([rng.integers(0, 16 if wild else 8 if layout.chooses else 4)])
    kind = rng.integers(4) if wild else None
    if kind == 0 and command != Command.VOLLEYS:
        payload += b"\0"
    elif kind == 0 and layout.streams.volley_beats > 1:
        payload += bytes(layout.beat_bytes)
    return encode(command + 5 if kind == 1 else command, number, payload)


def damage(rng: np.random.Generator, frame: bytes) -> bytes:
    """What a bad line makes of a frame: cut, changed, longer, doubled, or all noise."""
    at = int(rng.integers(len(frame)))
    kind = rng.integers(6)
    if kind == 0:
        return frame[:at]
    if kind == 1:
        return frame[:at] + bytes([frame[at] ^ 1 << int(rng.integers(8))]) + frame[at + 1 :]
    if kind == 2:
        return frame[:at] + rng.bytes(1) + frame[at:]
    if kind == 3:
        return frame + frame
    if kind == 4:
        return rng.bytes(int(rng.integers(1, 12)))
    return frame[:3] + rng.bytes(2) + frame[5:]


def scenario(seed: int, steps: int, layout: Layout = LAYOUT) -> Iterator[tuple[bytes, bool]]:
    """Seeded random chunks for a line, each with whether it falls quiet afterwards."""
    rng = np.random.default_rng(seed)
    number = 0
    for _ in range(steps):
        number = (number + int(rng.random() < 0.95)) & 0xFF
        frame = request(rng, number, layout)
        spoilt = rng.random() < 0.4
        yield damage(rng, frame) if spoilt else frame, bool(rng.random() < (0.8 if spoilt else 0.2))


def without_cycles(reply: bytes) -> bytes:
    """A reply without what only hardware knows: a status' cycle counter and its check."""
    status = Command.STATUS | 0x80
    if reply[1:2] == bytes([status]) and len(reply) >= STATUS_BYTES + 7:
        return reply[:19] + reply[25:]
    return reply


def in_order(replies: bytes, layout: Layout, report: bool) -> bytes:
    """Replies with the columns of each result in order: folded hardware may mix them."""
    if replies[1:2] != bytes([Command.VOLLEYS | REPLY]) or not (layout.streams.folded and report):
        return replies
    size = len(replies[:5]) + missing(replies[:5])
    reply = replies[:size]
    if missing(reply) or (size - OVERHEAD) % layout.result_bytes():
        return replies
    times, classes = layout.unpack_results(reply[5:-2])
    assert times is not None
    return encode(*reply[1:3], layout.pack_results(times, classes)) + replies[size:]
