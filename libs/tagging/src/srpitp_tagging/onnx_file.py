"""Writes a neural network as an ONNX file: the few messages of onnx.proto that this takes.

The ``onnx`` package would do the same, at the price of 60 megabytes and protobuf on every machine
that tags: the file is made where it is used, since the weights travel in a package of their own.
See https://github.com/onnx/onnx/blob/main/onnx/onnx.proto for the numbers of the fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Graph"]

_IR_VERSION, _OPERATOR_SET = 8, 13
_FLOAT = 1
_INT, _INTS = 2, 7  # AttributeProto.type


@dataclass
class Graph:
    """A network under construction.

    Attributes
    ----------
    name : str
    nodes, tensors : list of bytes
        NodeProto and TensorProto messages.
    """

    name: str
    nodes: list[bytes] = field(default_factory=list)
    tensors: list[bytes] = field(default_factory=list)

    def tensor(self, name: str, values: NDArray[Any]) -> str:
        """Add constant numbers; return their name."""
        array = np.ascontiguousarray(values, "<f4")
        shape = b"".join(_number(1, size) for size in array.shape)
        kind = _number(2, _FLOAT)
        self.tensors.append(shape + kind + _text(8, name) + _bytes(9, array.tobytes()))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str, **settings: Any) -> str:
        """Add an operation; return the name of its output."""
        parts = [_text(1, name) for name in inputs]
        parts += [_text(2, output), _text(3, output), _text(4, operator)]
        parts += [_bytes(5, _setting(name, value)) for name, value in settings.items()]
        self.nodes.append(b"".join(parts))
        return output

    def file(self, source: tuple[str, Sequence[int]], result: tuple[str, Sequence[int]]) -> bytes:
        """Write it all down.

        Parameters
        ----------
        source, result : pair of str and sequence of int
            Name and shape of what goes in and of what comes out.
        """
        graph = [_bytes(1, node) for node in self.nodes]
        graph += [_text(2, self.name)]
        graph += [_bytes(5, tensor) for tensor in self.tensors]
        graph += [_bytes(11, _value(*source)), _bytes(12, _value(*result))]
        operators = _text(1, "") + _number(2, _OPERATOR_SET)
        return _number(1, _IR_VERSION) + _bytes(7, b"".join(graph)) + _bytes(8, operators)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _bytes(tag: int, value: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(value)) + value


def _text(tag: int, value: str) -> bytes:
    return _bytes(tag, value.encode())


def _setting(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _INT)
    numbers = b"".join(_number(8, number) for number in value)
    return _text(1, name) + numbers + _number(20, _INTS)


def _value(name: str, shape: Sequence[int]) -> bytes:
    dimensions = b"".join(_bytes(1, _number(1, size)) for size in shape)
    kind = _number(1, _FLOAT) + _bytes(2, dimensions)
    return _text(1, name) + _bytes(2, _bytes(1, kind))
