"""EfficientNet-Lite0 without its last layer, as an ONNX file.

Renjie Liu, "Higher accuracy on vision models with EfficientNet-Lite", 2020: the blocks of
EfficientNet-B0 without squeeze and excitation, with ReLU6.
"""

import numpy as np

from .onnx_file import Graph
from .weights import Weights

__all__ = ["FEATURES", "SIDE", "network"]

SIDE = 224
"""Rows and columns of the picture that goes in."""
FEATURES = 1280
"""Numbers that come out."""

_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
"""Blocks of each stage, and the stride of the first one; the weights tell all other sizes."""
_EPSILON = 1e-3  # of the normalisation of batches


def network(weights: Weights) -> bytes:
    """Write the network down.

    Parameters
    ----------
    weights : Weights
        As `read_weights` gives them.

    Returns
    -------
    bytes
        An ONNX file of 13 MB. ``pixels``, float32, shape (1, 3, 224, 224): red, green, blue, each
        ``(value - 127) / 128``. ``features``, float32, shape (1, 1280).
    """
    graph = Graph("efficientnet_lite0")
    graph.tensor("zero", np.array(0))
    graph.tensor("six", np.array(6))

    def convolution(
        given: str, name: str, norm: str, stride: int = 1, groups: int = 1, *, clipped: bool = True
    ) -> str:
        """Add a convolution with the normalisation that follows it folded in."""
        scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
        kernels = weights[f"{name}.weight"] * scale[:, None, None, None]
        shift = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        size = kernels.shape[2]
        before = (size - stride) // 2  # as TensorFlow pads: the odd one after
        after = size - stride - before
        inputs = [given, graph.tensor(f"{name}.k", kernels), graph.tensor(f"{name}.b", shift)]
        result = graph.node(
            "Conv", inputs, name,
            kernel_shape=[size, size], strides=[stride, stride], group=groups,
            pads=[before, before, after, after],
        )  # fmt: skip
        return graph.node("Clip", [result, "zero", "six"], f"{name}.c") if clipped else result

    def block(given: str, at: str, stride: int, *, added: bool) -> str:
        wide = given
        if f"{at}._expand_conv.weight" in weights:
            wide = convolution(given, f"{at}._expand_conv", f"{at}._bn0")
        depth = f"{at}._depthwise_conv"
        groups = len(weights[f"{depth}.weight"])
        wide = convolution(wide, depth, f"{at}._bn1", stride, groups)
        narrow = convolution(wide, f"{at}._project_conv", f"{at}._bn2", clipped=False)
        return graph.node("Add", [narrow, given], f"{at}.sum") if added else narrow

    last = convolution("pixels", "_conv_stem", "_bn0", 2)
    places = ((stride, place) for blocks, stride in _STAGES for place in range(blocks))
    for number, (stride, place) in enumerate(places):
        again = place > 0  # as many channels go in as come out
        last = block(last, f"_blocks.{number}", 1 if again else stride, added=again)
    last = convolution(last, "_conv_head", "_bn1")
    last = graph.node("GlobalAveragePool", [last], "pooled")
    graph.node("Flatten", [last], "features", axis=1)
    return graph.file(("pixels", (1, 3, SIDE, SIDE)), ("features", (1, FEATURES)))
