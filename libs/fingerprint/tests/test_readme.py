import doctest
from pathlib import Path

import cv2
import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def photos(image_files, scene, tmp_path, monkeypatch):
    """The photos of which the README speaks, in the current folder."""
    photo = cv2.imread(str(image_files["baseline.jpg"]))
    (tmp_path / "photo.jpg").write_bytes(image_files["baseline.jpg"].read_bytes())
    cv2.imwrite(str(tmp_path / "copy.webp"), cv2.resize(photo, (120, 80)))
    cv2.imwrite(str(tmp_path / "mirrored.jpg"), photo[:, ::-1])
    cv2.imwrite(str(tmp_path / "other.png"), scene(90, 120))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("photos")
def test_examples_do_what_they_show():
    result = doctest.testfile(str(README), module_relative=False, optionflags=doctest.REPORT_NDIFF)
    assert result.attempted > 10
    assert result.failed == 0
