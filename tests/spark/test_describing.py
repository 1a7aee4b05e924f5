"""A child that an image took over, or killed, harms that image only."""

import pytest

from spark.describing import NotDescribedError, running_describer
from spark.settings import Settings
from srpitp_contracts.fingerprints import Purpose
from tests.spark.test_fingerprint_job import png

_HOSTILE = """
import json, sys
print('"ready"', flush=True)
[length] = json.loads(sys.stdin.buffer.readline())["sizes"]
sys.stdin.buffer.read(length)
print({answer}, flush=True)
sys.stdin.buffer.read()
"""
_DEAF = """
import sys, time
print('"ready"', flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (_HOSTILE.format(answer="'nonsense'"), "no JSON"),
        (_HOSTILE.format(answer="'[' * 100_000"), "no JSON"),
        (_HOSTILE.format(answer="'{}'"), "what none says"),
        (_HOSTILE.format(answer="'x' * 2**26"), "more than"),
        (_HOSTILE.format(answer="exit()"), "crash"),
        (_DEAF, "took longer"),
    ],
    ids=["nonsense", "nested", "nothing", "flood", "dies", "deaf"],
)
def test_a_child_that_was_taken_over_is_not_believed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, script: str, error: str
) -> None:
    limit = 3.0 if script == _DEAF else 60.0
    settings = settings.model_copy(update={"fingerprint_time_limit_seconds": limit})
    with running_describer(settings) as describer:
        with monkeypatch.context() as patch:
            patch.setattr("srpitp_servicekit.decoding.child._WORKER", ("-c", script))
            with pytest.raises(NotDescribedError, match=error):
                describer.describe(b"x" * 2**20, Purpose.PROTECTED)
        assert describer._child is None or describer._child.poll() is not None


def test_a_child_knows_none_of_our_keys(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "__import__('os').environ.get('SRPITP_SERVICE_KEY', 'none')"
    script = _HOSTILE.format(answer=f"json.dumps([{said}])")
    monkeypatch.setenv("SRPITP_SERVICE_KEY", "secret")
    monkeypatch.setattr("srpitp_servicekit.decoding.child._WORKER", ("-c", script))
    with running_describer(settings) as describer:
        assert describer._ask(png(1), Purpose.PROTECTED) == ["none"]
