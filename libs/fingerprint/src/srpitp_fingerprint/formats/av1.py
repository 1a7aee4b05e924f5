"""The size that an AV1 stream states: AV1 Bitstream & Decoding Process Specification, section 5.

A container may state a small size of a stream that is large, and it is the stream that a decoder
makes room for.
"""

from collections.abc import Iterator

from ..errors import BrokenImageError
from .header import Truncated

__all__ = ["stream_size"]

_SEQUENCE_HEADER = 1
_MOST_UNITS = 1000  # of a still picture; encoders make about three
_LONGEST_SEQUENCE_HEADER = 1024


class _Bits:
    """A reader of unsigned numbers of some bits."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise Truncated
        return self._value >> self._left & (1 << count) - 1

    def skip_variable(self) -> None:
        """Skip a number of variable length, uvlc()."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        self.take(min(zeros, 32) % 32)


def _units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Give type and payload of each open bitstream unit."""
    at = count = 0
    while at < len(stream):
        count += 1
        if count > _MOST_UNITS:
            raise BrokenImageError(f"an AV1 picture of more than {_MOST_UNITS} units; save it anew")
        header = stream[at]
        at += 2 if header & 4 else 1  # an extension
        size = len(stream) - at
        if header & 2:  # a size in groups of seven bits, the lowest first
            size = 0
            for group in range(8):
                byte = stream[at]
                at += 1
                size |= (byte & 0x7F) << 7 * group
                if byte < 0x80:
                    break
        yield header >> 3 & 15, stream[at : at + min(size, _LONGEST_SEQUENCE_HEADER)]
        at += size


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing_info_present_flag
        bits.take(64)
        if bits.take(1):  # equal_picture_interval
            bits.skip_variable()
        if bits.take(1):  # decoder_model_info_present_flag
            delay_bits = 1 + bits.take(5)
            bits.take(42)
    display_delay = bits.take(1)
    for _ in range(1 + bits.take(5)):
        bits.take(12)
        if bits.take(5) > 7:  # seq_level_idx
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if display_delay and bits.take(1):
            bits.take(4)


def _sequence_size(payload: bytes) -> tuple[int, int]:
    bits = _Bits(payload)
    bits.take(4)  # seq_profile, still_picture
    if bits.take(1):  # reduced_still_picture_header
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = 1 + bits.take(4), 1 + bits.take(4)
    return 1 + bits.take(width_bits), 1 + bits.take(height_bits)


def stream_size(stream: bytes) -> tuple[int, int]:
    """Find the largest size, (width, height), in the sequence headers of a stream."""
    sizes = (_sequence_size(unit) for kind, unit in _units(stream) if kind == _SEQUENCE_HEADER)
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
