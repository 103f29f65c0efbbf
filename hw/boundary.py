"""The members of a core, spatial or folded."""

from amaranth.lib import stream
from amaranth.lib.wiring import In, Member, Out

from racewave.golden.streams import Streams

__all__ = ["core_members"]


def core_members(streams: Streams) -> dict[str, Member]:
    """Streams, controls and counters of a core, see `Network` and `Folded`."""
    return {
        "volleys": In(stream.Signature(streams.volley_bits)),
        "results": Out(stream.Signature(streams.result_bits)),
        "requests": In(stream.Signature(streams.request_bits)),
        "replies": Out(stream.Signature(streams.row_bits)),
        "start": In(1),
        "learn": In(1),
        **({"report": In(1)} if streams.folded else {}),
        "reseed": In(1),
        "busy": Out(1),
        "cycles": Out(32),
        "waves": Out(32),
    }
