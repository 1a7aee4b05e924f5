"""The paper's ten steps on real parts, as one process and as five: what the demo shows."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo import copies
from demo.__main__ import main
from demo.photos import UNRELATED
from demo.report import Findings, write_html
from demo.stage import staged
from demo.system import System, SystemFailedError
from tests.journeys.leftovers import assert_nothing_is_left


@pytest.mark.parametrize("separate", [False, True], ids=["one process", "five processes"])
def test_typical_journey(tmp_path: Path, separate: bool) -> None:
    with staged(tmp_path, separate=separate) as stage:
        stage.journey.run()
        findings = Findings.of(stage, "a test")
        write_html(findings, stage.website, tmp_path / "report.html")

    assert findings.complaints == []
    wanted = [*copies.COPIES, copies.NEW, copies.LATE]
    assert [row.copy for row in findings.rows] == wanted
    report = (tmp_path / "report.html").read_text()
    for shown in (*(copy.name for copy in wanted), *(photo.title for photo in UNRELATED)):
        assert shown in report
    assert_nothing_is_left(tmp_path)


def test_a_service_that_does_not_start_is_shown_with_its_log(tmp_path: Path) -> None:
    system = System(tmp_path, settings={"SRPITP_EGRESS_ALLOW": "no network"})
    wrong = pytest.raises(SystemFailedError, match=r"(?s)onebox ended with status 1.*egress_allow")
    with wrong, system.running():
        pass
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("reached", ["Starting MongoDB", "The owner registers"])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, reached: str) -> None:
    command = [sys.executable, "-m", "demo", "--out", str(tmp_path / "demo")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:  # noqa: S603
        assert demo.stdout is not None
        assert any(reached in line for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
    assert demo.returncode == 130, rest
    assert_nothing_is_left(tmp_path)


def test_a_folder_that_is_not_the_demos_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    monkeypatch.setattr("sys.argv", ["demo", "--out", str(tmp_path)])
    assert main() == 1
    assert "did not make" in capsys.readouterr().out
    assert (tmp_path / "thesis.txt").exists()
