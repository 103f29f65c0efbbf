"""Frames, packing, the device model and the host, all without hardware."""

from pathlib import Path

import numpy as np
import pytest
from boards import BAD, CONFIG, FOLDED, LAYERS, LAYOUT, READ, VOTER, model, scenario, volleys
from mutants import mutated
from numpy.testing import assert_array_equal

from racewave.golden import device as device_module
from racewave.golden import frames, network, presets
from racewave.golden import model as models
from racewave.golden.config import ColumnConfig, Config, HardwareConfig, LayerConfig
from racewave.golden.device import Device
from racewave.golden.errors import BadInput
from racewave.golden.frames import Code, Command, decode, encode, missing
from racewave.golden.host import Host, Refused
from racewave.golden.layout import Layout


def crc_by_bits(data: bytes) -> int:
    """The polynomial division of the definition, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        for n in reversed(range(8)):
            top = (crc >> 15) ^ (byte >> n & 1)
            crc = (crc << 1 & 0xFFFF) ^ (0x1021 if top else 0)
    return crc


def check_crc(module):
    rng = np.random.default_rng(0)
    for size in range(20):
        data = rng.bytes(size)
        assert module.crc16(data) == crc_by_bits(data)


def test_crc_is_the_division():
    check_crc(frames)


def test_planted_bug_in_crc():
    with pytest.raises(AssertionError):
        check_crc(mutated(frames, "x ^= x >> 4", "x ^= x >> 3"))


def test_frames_come_back():
    rng = np.random.default_rng(1)
    for size in (0, 1, 2, 255, 256, 512, 65_535):
        frame = encode(Command.WRITE, size & 0xFF, rng.bytes(size))
        assert missing(frame) == 0
        assert all(0 < missing(frame[:n]) <= len(frame) - n for n in (0, 3, len(frame) - 1))
        found = decode(frame)
        assert encode(found.command, found.number, found.payload) == frame


def test_every_flipped_bit_is_seen():
    frame = encode(Command.READ, 3, bytes([4, 0, 0]))
    for n in range(8 * len(frame)):
        damaged = bytearray(frame)
        damaged[n // 8] ^= 1 << n % 8
        with pytest.raises(BadInput, match="must be"):
            decode(bytes(damaged))


def test_frame_errors_say_what_is_allowed():
    frame = encode(Command.STATUS, 1)
    for bad, said in (
        (b"", "frame must begin with 0x5a, not nothing"),
        (b"\x00", "frame must begin with 0x5a, not 00"),
        (frame[:-1], "frame must be 7 bytes, as its header says, not 6"),
        (frame[:-1] + b"\0", "CRC-16 must be c544, not c500"),
    ):
        with pytest.raises(BadInput) as error:
            decode(bad)
        assert str(error.value) == said
    with pytest.raises(BadInput, match="payload must be at most 65535 bytes, not 65536"):
        encode(Command.WRITE, 1, bytes(65_536))


def test_page_shows_what_is_sent():
    """The examples of docs/uart.md, played."""
    page = (Path(__file__).parent.parent / "docs" / "uart.md").read_text(encoding="utf-8")
    shown = [line[:44].strip() for line in page.splitlines() if line.startswith("5A ")]
    device = Device(models.initial(presets.load("cmu-cvt")))
    replies = []
    for sent, answer in zip(shown[::2], shown[1::2], strict=True):
        data = bytes.fromhex(sent)
        replies.append((device.receive(data) or device.quiet()).hex(" ").upper())
        assert replies[-1].startswith(answer.partition("  ")[0])
    assert [reply[:5] for reply in replies] == ["5A 81", "5A 85", "5A FF"]


def test_layouts():
    cvt = Layout(presets.load("cmu-cvt"))
    assert (cvt.volley_bytes, cvt.result_bytes(), cvt.row_bytes) == (12, 5, 5)
    assert (cvt.rows, cvt.buffer, cvt.volleys_max, cvt.rows_max) == (32, 512, 42, 102)
    digits = Layout(presets.load("digits"))
    assert (digits.beat_bytes, digits.times_bits, digits.streams.row_bits) == (48, 148, 80)
    assert (digits.streams.weight_rows, digits.rows) == (128, 176)
    # Folded: 2 beats of 8 codes; 2 columns of 3 codes and a column number, then a class.
    folded, voter, layers = Layout(FOLDED), Layout(VOTER), Layout(LAYERS)
    assert (folded.volley_bytes, folded.result_bytes(), folded.result_bytes(False)) == (6, 5, 1)
    assert (voter.volley_bytes, voter.result_bytes(), voter.result_bytes(False)) == (8, 5, 1)
    assert (layers.volley_bytes, layers.result_bytes(), layers.chooses) == (6, 4, False)
    assert Layout(presets.load("mnist-49")).buffer == 1024  # a volley is 588 bytes
    wide = Config(column=ColumnConfig(p=1, q=4096, theta=1))
    long = Config(column=ColumnConfig(p=65_536, q=1, theta=1, t_in=32))
    many = presets.load("mnist-625").model_copy(update={"layer": (LayerConfig(stride=1),)})
    assert Layout(many).rows == 27_500
    with pytest.raises(BadInput, match="a volley or a row must be at most 32766 bytes, not 49152"):
        Layout(long)
    with pytest.raises(BadInput, match=r"a reply must be at most 65535 bytes, not 3145728 \(2048 "):
        Layout(wide)


@pytest.mark.parametrize("config", [CONFIG, FOLDED, VOTER, LAYERS], ids=lambda c: c.name)
def test_packing_comes_back(config):
    rng, layout = np.random.default_rng(2), Layout(config)
    labels = rng.integers(-1, 3, 20)
    times = volleys(rng, 20, config)
    payload = layout.pack_volleys(times, labels)
    assert len(payload) == 20 * layout.volley_bytes
    found = layout.unpack_volleys(payload)
    assert_array_equal(found[0], times)
    if config is VOTER:
        assert_array_equal(found[1], labels)
    else:
        assert found[1] is None
    out = rng.integers(0, config.finals[0].column.steps, (20, config.outputs))
    classes = rng.integers(0, 3, 20) if config.readout else None
    for report in {True, not layout.chooses}:
        data = layout.pack_results(out, classes, report)
        assert len(data) == 20 * layout.result_bytes(report)
        got_times, got_classes = layout.unpack_results(data, report)
        if report:
            assert_array_equal(got_times, out)
        if classes is not None:
            assert_array_equal(got_classes, classes)
    whole = model(3, config)
    rows = layout.unpack_rows(layout.pack_model(whole))
    for weights, wanted in zip(layout.streams.layers_of(rows), whole.layers, strict=True):
        assert_array_equal(weights, wanted)
    if config.readout is not None:
        table = layout.streams.readout_of(rows[layout.streams.weight_rows :])
        assert_array_equal(table, whole.readout)


def test_bytes_on_the_line():
    """What docs/uart.md says of packing, by hand."""
    weights = model().weights
    first = int(weights[0, :, 0] @ [1, 8, 64])
    assert LAYOUT.pack_model(model())[:3] == bytes([first & 0xFF, first >> 8, 0])
    # A beat: 8 codes of 3 bits, label 2 and "known" above.
    beat = int("110" + "111000" * 4, 2).to_bytes(4, "little")
    assert Layout(VOTER).pack_volleys(np.array([[0, 7] * 8]), np.array([2])) == 2 * beat
    # Two beats of times: 3 codes of 3 bits, the column's number above; then the class.
    out = np.array([[1, 2, 3, 7, 6, 5]])
    columns = [1 | 2 << 3 | 3 << 6 | 0 << 9, 7 | 6 << 3 | 5 << 6 | 1 << 9]
    wanted = b"".join(word.to_bytes(2, "little") for word in columns) + b"\2"
    assert Layout(FOLDED).pack_results(out, np.array([2])) == wanted
    assert Layout(FOLDED).pack_results(out, np.array([2]), report=False) == b"\2"


def test_columns_come_in_any_order_but_once():
    layout, out = Layout(FOLDED), np.array([[1, 2, 3, 7, 6, 5]])
    one, two, label = (layout.pack_results(out, np.array([2]))[n : n + 2] for n in (0, 2, 4))
    assert_array_equal(layout.unpack_results(two + one + label)[0], out)
    with pytest.raises(ValueError, match="every column must send its times once"):
        layout.unpack_results(two + two + label)


def inside(device: Device) -> tuple:
    """Everything of a device that a frame could change."""
    state = (device._rows.tobytes(), device._states)
    return (*state, device._learn, device.reports, device.waves)


@pytest.mark.parametrize("name", BAD)
def test_bad_frame_is_answered_and_changes_nothing(name):
    data, code = BAD[name]
    device = Device(model())
    before = inside(device)
    reply = device.receive(data) + device.quiet()
    assert decode(reply[-8:]).payload == bytes([code])
    assert inside(device) == before
    assert device.quiet() == b""
    assert decode(device.receive(encode(Command.STATUS, 9))).command == Command.STATUS | 0x80


def test_codes_are_all_covered():
    seen = {code for _, code in BAD.values()} | {Code.LINE}  # a byte without stop bit: below
    assert seen == set(Code)
    device = Device(model())
    device.broken()
    device.broken()
    assert device.receive(READ) == b""
    assert decode(device.quiet()).payload == bytes([Code.LINE])


def test_bytes_during_a_reply():
    device = Device(model())
    assert decode(device.receive(READ)).command == Command.READ | 0x80
    assert device.receive(READ, answering=True) == b""
    assert decode(device.quiet()).payload == bytes([Code.BUSY])


@pytest.mark.parametrize("config", [CONFIG, FOLDED, LAYERS], ids=lambda c: c.name)
def test_weights_are_not_loaded_while_volleys_are_played(config):
    device = Device(model(1, config))
    layout, host = device.layout, host_of(device)
    before = host.read_rows(0, layout.rows)
    played = layout.pack_volleys(volleys(np.random.default_rng(1), 3, config))
    rows = layout.pack_model(model(2, config))[: 2 * layout.row_bytes]
    write = encode(Command.WRITE, 201, b"\0\0" + rows)
    reply = device.receive(encode(Command.VOLLEYS, 200, played) + write)
    assert decode(reply).command == Command.VOLLEYS | 0x80
    assert decode(device.quiet()).payload == bytes([Code.BUSY])
    assert Host(config, host._exchange).read_rows(0, layout.rows) == before
    assert decode(device.receive(write)).payload == b""
    assert Host(config, host._exchange).read_rows(0, 2) == rows


def test_frame_in_pieces():
    device = Device(model())
    assert [bool(device.receive(READ[n : n + 1])) for n in range(len(READ))] == [
        *[False] * (len(READ) - 1),
        True,
    ]


def test_inference_hardware_does_not_learn():
    config = CONFIG.model_copy(update={"hardware": HardwareConfig(learning=False)})
    device = Device(models.initial(config))
    assert decode(device.receive(encode(Command.CONTROL, 1, b"\2"))).payload == b""
    assert device.receive(encode(Command.CONTROL, 2, b"\1")) == b""
    assert decode(device.quiet()).payload == bytes([Code.RANGE])


def host_of(device: Device, seed: int = 0, loss: float = 0.0) -> Host:
    """A host whose frames are spoilt with probability `loss`."""
    rng = np.random.default_rng(seed)

    def exchange(frame: bytes) -> bytes:
        if rng.random() < loss:
            at = int(rng.integers(1, len(frame)))
            frame = frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]
        return device.receive(frame) or device.quiet()

    return Host(device.layout.config, exchange)


@pytest.mark.parametrize("config", [CONFIG, FOLDED, VOTER, LAYERS], ids=lambda c: c.name)
@pytest.mark.parametrize("loss", [0, 0.1])
@pytest.mark.parametrize("learn", [False, True])
def test_host_runs_a_model_like_golden(learn, loss, config):
    rng = np.random.default_rng(3)
    waves, labels = volleys(rng, 300, config), rng.integers(-1, 3, 300) if config is VOTER else None
    host = host_of(Device(model(7, config)), seed=4, loss=loss)
    found = host.run(model(1, config), waves, learn, labels)
    expected = network.run(model(1, config), waves, learn, "reference", labels)
    assert_array_equal(found.times, expected.times)
    for weights, wanted in zip(found.layers, expected.layers, strict=True):
        assert_array_equal(weights, wanted)
    if config.readout is None:
        assert found.classes is None
    else:
        assert_array_equal(found.classes, expected.classes)
    if config is VOTER:
        assert_array_equal(found.readout, expected.readout)
    assert host.status().waves == 300
    assert host.status().learn == learn


def test_times_are_reported_on_demand():
    host = host_of(Device(model(7, FOLDED)))
    waves = volleys(np.random.default_rng(5), 20)
    expected = network.run(model(7, FOLDED), waves)
    assert not host.status().report
    times, classes = host.play(waves)
    assert times is None
    assert_array_equal(classes, expected.classes)
    host.control(report=True)
    assert host.status().report
    times, classes = host.play(waves)
    assert_array_equal(times, expected.times)
    assert_array_equal(classes, expected.classes)
    # A host that comes later learns from the status what results hold.
    assert host.status().report
    assert host_of(Device(model())).status().report  # spatial hardware cannot leave them out


def test_host_finds_its_number_and_its_board():
    device = Device(model())
    device.receive(encode(Command.STATUS, 1))  # somebody else's last frame
    host = Host(CONFIG, lambda frame: device.receive(frame) or device.quiet())
    assert host.status().hash == CONFIG.hash
    other = presets.load("cmu-cvt")
    with pytest.raises(BadInput, match=f"config must be {other.hash}, not {CONFIG.hash}"):
        Host(other, lambda frame: device.receive(frame) or device.quiet())


def test_host_gives_up_and_says_why():
    host = host_of(Device(model()))
    with pytest.raises(Refused, match=r"the board refused a frame: range \(code 9\)"):
        host.read_rows(21, 2)
    replies = iter([encode(frames.ERROR, 0, bytes([Code.CRC]))] * 9)
    with pytest.raises(Refused, match="crc"):
        Host(CONFIG, lambda frame: next(replies))
    assert len(list(replies)) == 6


def test_rows_of_the_readout():
    host = host_of(Device(model(7)))
    other = LAYOUT.pack_model(model())[16 * LAYOUT.row_bytes :]
    host.write_rows(16, other)
    assert host.read_rows(16, 6) == other
    assert_array_equal(host.read_readout(), model().readout)
    (weights,) = host.read_layers()
    assert_array_equal(weights, model(7).weights)


def play(module, seed, steps=300):
    """All replies of a device to a random scenario."""
    device = module.Device(model())
    return [
        device.receive(data) + (device.quiet() if quiet else b"")
        for data, quiet in scenario(seed, steps)
    ]


def test_scenarios_reach_every_code_and_command():
    replies = b"".join(b"".join(play(device_module, seed)) for seed in range(3))
    seen, codes = set(), set()
    while replies:
        size = missing(replies[:5]) + 5
        frame = decode(replies[:size])
        replies = replies[size:]
        seen.add(frame.command)
        codes |= set(frame.payload) if frame.command == frames.ERROR else set()
    assert seen == {frames.ERROR, *(command | 0x80 for command in Command)}
    assert codes == set(Code) - {Code.LINE}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("> self.layout.buffer", ">= self.layout.buffer >> 9"),
        ("+ payload[0] > layout.rows", "+ payload[0] > layout.rows + 1"),
        ("if self._number == self._executed", "if False"),
        ("size >= 2 and", "size >= 3 and"),
        ("Code.BUSY", "Code.START"),
    ],
)
def test_planted_bug_in_device(old, new):
    healthy = [play(device_module, seed) for seed in range(2)]
    assert healthy != [play(mutated(device_module, old, new), seed) for seed in range(2)]


def test_reply_of_a_write_is_its_effect():
    """A written row is read back, its neighbours are as before."""
    device = Device(model())
    host = host_of(device)
    before = host.read_rows(0, LAYOUT.rows)
    size = LAYOUT.row_bytes
    for address in range(LAYOUT.rows):
        row = bytes([0x55, 0x01 if address < 16 else 0xAA, 0x00 if address < 16 else 0x12])
        host.write_rows(address, row)
        after = host.read_rows(0, LAYOUT.rows)
        before = before[: address * size] + row + before[(address + 1) * size :]
        assert after == before
