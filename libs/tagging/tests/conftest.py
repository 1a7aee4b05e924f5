import numpy as np
import pytest

from srpitp_tagging import find_weights, network, opened, read_weights


@pytest.fixture(scope="session")
def weights_file():
    path = find_weights()
    assert path, "the package that brings the weights is not installed"
    return path


@pytest.fixture(scope="session")
def model(weights_file):
    """The network as an ONNX file."""
    return network(read_weights(weights_file))


@pytest.fixture(scope="session")
def classifier(model):
    return opened(model, "opencv")


@pytest.fixture(scope="session")
def pictures():
    """Blurred noise of odd sizes, in colour and grey."""
    random = np.random.default_rng(1)
    coarse = [random.integers(0, 256, (9, 12, 3), np.uint8) for _ in range(3)]
    colour = [one.repeat(17, axis=0).repeat(23, axis=1) for one in coarse]
    return [*colour, np.ascontiguousarray(colour[0][..., 1])]
