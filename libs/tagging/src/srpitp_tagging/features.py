"""From pixels to features: the network, run by OpenCV or by ONNX Runtime."""

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .network import FEATURES, SIDE

__all__ = ["Runtime", "features_of", "opened"]

_SHORTEST = 1e-6
_MIDDLE, _SPREAD = np.float32(127), np.float32(128)

Runtime = Literal["opencv", "onnxruntime"]
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From one picture, shape (1, 3, 224, 224), to its features, shape (1, 1280)."""


def opened(model: bytes, runtime: Runtime | None = None) -> Network:
    """Make a network ready to run, on one thread.

    Parameters
    ----------
    model : bytes
        An ONNX file, as `network` writes it.
    runtime : {"opencv", "onnxruntime"}, optional
        By default ONNX Runtime where it is installed: it takes a third of OpenCV's time. Both give
        the same features to five digits.

    Returns
    -------
    Network
    """
    if runtime is None:
        runtime = "onnxruntime" if find_spec("onnxruntime") else "opencv"
    return _in_onnxruntime(model) if runtime == "onnxruntime" else _in_opencv(model)


def _in_opencv(model: bytes) -> Network:
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))

    def run(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        net.setInput(picture)
        return np.asarray(net.forward(), np.float32)

    return run


def _in_onnxruntime(model: bytes) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        [features] = session.run(None, {"pixels": picture})
        return np.asarray(features, np.float32)

    return run


def features_of(images: Iterable[NDArray[np.uint8]], network: Network) -> NDArray[np.float32]:
    """Find the features of pictures.

    Parameters
    ----------
    images : iterable of uint8 ndarray, shape (height, width) or (height, width, 3)
        Grey, or blue, green, red; upright. The whole picture counts, whatever its shape: a crop
        of it should have the same tag.
    network : Network

    Returns
    -------
    float32 ndarray, shape (images, 1280)
        None below 0; each row of length 1.

    Raises
    ------
    ValueError
        Pixels of another type or shape.
    """
    # One by one: pictures that are run together take no less time each, and more memory.
    found = [network(prepared(image)) for image in images]
    features = np.concatenate(found) if found else np.empty((0, FEATURES), np.float32)
    # Few features are large, and what is done to a picture changes these most: their roots tell
    # kinds apart better, and change less.
    roots = np.sqrt(np.maximum(features, 0))
    lengths = np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), _SHORTEST)
    return np.asarray(roots / lengths, np.float32)


def prepared(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Make a picture what the network takes, shape (1, 3, 224, 224); as `features_of` does."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ValueError(
            f"pixels of {image.dtype} and shape {image.shape}; give 8 bits, grey or BGR"
        )
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    if small.ndim == 2:
        small = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    planes = small[None, ..., ::-1].transpose(0, 3, 1, 2)
    return (np.ascontiguousarray(planes, np.float32) - _MIDDLE) / _SPREAD
