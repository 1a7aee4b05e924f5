import csv
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from srpitp_fingerprint import extract
from srpitp_fingerprint.command import run
from srpitp_fingerprint.workers import Workers


@pytest.fixture
def folders(image_files, scene, tmp_path):
    """Two protected photos and one that cannot be read; copies, a stranger, and a text."""
    protected, detected = tmp_path / "protected", tmp_path / "detected"
    (protected / "cats").mkdir(parents=True)
    detected.mkdir()
    photo = cv2.imread(str(image_files["baseline.jpg"]))
    (protected / "cats" / "cat.jpg").write_bytes(image_files["baseline.jpg"].read_bytes())
    (protected / "broken.png").write_bytes(image_files["palette.png"].read_bytes()[:-9])
    (protected / ".hidden").write_text("of no interest")
    cv2.imwrite(str(protected / "scene.png"), scene(200, 300, 3))
    (detected / "a_same.jpg").write_bytes(image_files["baseline.jpg"].read_bytes())
    cv2.imwrite(str(detected / "b_small.jpg"), cv2.resize(photo, (120, 80)))
    cv2.imwrite(str(detected / "c_mirrored.png"), photo[:, ::-1])
    coarse = np.random.default_rng(1).integers(0, 256, (9, 12), np.uint8)
    cv2.imwrite(str(detected / "d_stranger.png"), cv2.resize(coarse, (120, 90)))
    (detected / "e_text.jpg").write_text("Not found")
    return protected, detected


FEW_ALARMS = ["--false-alarms", "0.01"]  # for pictures that are no photos


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check_rows(rows):
    assert [row["verdict"] for row in rows] == ["exact", "similar", "similar", "distinct", ""]
    assert [row["protected"] for row in rows[:3]] == ["cats/cat.jpg"] * 3
    assert [row["orientation"] for row in rows[1:3]] == ["identity", "hflip"]
    assert all(float(row["distance"]) < 0.1 for row in rows[:3])
    assert all(float(row["quality"]) > 0.5 for row in rows[:4])
    assert rows[4]["detected"] == "e_text.jpg"
    assert rows[4]["error"].startswith("image_unsupported: ")


def test_match_writes_a_row_for_each_file(folders, tmp_path, capfd):
    protected, detected = map(str, folders)
    out = tmp_path / "rows.csv"
    arguments = ["match", protected, detected, "--csv", str(out), *FEW_ALARMS]
    assert run([*arguments, "--processes", "1"]) == 1
    check_rows(rows_of(out))
    assert "broken.png: image_broken" in capfd.readouterr().err


def test_the_command_itself_uses_many_processes(folders, tmp_path):
    out = tmp_path / "rows.csv"
    command = [sys.executable, "-m", "srpitp_fingerprint.command", "match", *folders]
    command += [*FEW_ALARMS, "--csv", out, "--processes", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 1, done.stderr
    check_rows(rows_of(out))


def test_match_of_nothing_with_nothing(tmp_path):
    for name in ("p", "d"):
        (tmp_path / name).mkdir()
    out = tmp_path / "rows.csv"
    arguments = ["match", str(tmp_path / "p"), str(tmp_path / "d"), "--csv", str(out)]
    assert run([*arguments, "--processes", "1"]) == 0
    assert rows_of(out) == []
    cv2.imwrite(str(tmp_path / "d" / "one.png"), np.zeros((30, 30), np.uint8))
    assert run([*arguments, "--processes", "1"]) == 0
    assert [(row["verdict"], row["textureless"]) for row in rows_of(out)] == [("distinct", "True")]


def test_match_says_what_it_cannot_do(folders, tmp_path, capsys):
    protected, detected = map(str, folders)
    assert run(["match", protected, protected + "!", "--csv", str(tmp_path / "rows.csv")]) == 2
    assert run(["match", protected, detected, "--csv", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "is not a folder" in told
    assert "cannot write" in told


def test_extract_writes_a_line_for_each_file(image_files, tmp_path, capsys):
    photo = image_files["baseline.jpg"]
    assert run(["extract", str(photo), "--views", "K2"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told, e = json.loads(line), extract(photo, views="K2")
    assert (told["digest"], told["width"], told["fp_version"]) == (e.digest, 150, 1)
    assert told["views"][0]["fingerprint"] == e.views[0].fingerprint.hex()
    assert run(["extract", str(tmp_path / "none.jpg"), str(photo)]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["error"].startswith("unreadable: ")
    assert second["digest"] == e.digest


def test_compare_tells_and_draws(folders, tmp_path, capsys):
    protected, detected = folders
    cat, out = str(protected / "cats" / "cat.jpg"), tmp_path / "drawn.png"
    assert run(["compare", cat, str(detected / "c_mirrored.png"), "--picture", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["whole"]["orientation"]) == ("similar", "hflip")
    assert told["whole"]["distance"] < 0.05
    assert cv2.imread(str(out)).shape == (432, 1068, 3)
    assert run(["compare", cat, str(detected / "d_stranger.png")]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "distinct"
    assert run(["compare", cat, str(detected / "e_text.jpg")]) == 2
    assert "image_unsupported" in capsys.readouterr().err


def square_or_die(number):
    if number in (3, 40):
        os._exit(1)
    return number**2


def minus(number):
    return -number


def nothing(_):
    pass


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_item_that_kills_its_process_spoils_no_other():
    workers = Workers(square_or_die, minus, 2, nothing)
    expected = [-n if n in (3, 40) else n**2 for n in range(100)]
    assert list(workers(range(100))) == expected
