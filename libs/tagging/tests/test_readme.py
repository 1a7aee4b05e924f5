import doctest
from pathlib import Path

import cv2
import pytest
from skimage import data

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """The photo of which the README speaks, in the current folder."""
    cv2.imwrite(str(tmp_path / "photo.jpg"), data.chelsea()[..., ::-1])
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("photos")
def test_examples_do_what_they_show():
    result = doctest.testfile(str(README), module_relative=False, optionflags=doctest.REPORT_NDIFF)
    assert result.attempted > 8
    assert result.failed == 0
