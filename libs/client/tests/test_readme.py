"""The README's example runs as it stands."""

import re
from pathlib import Path

import pytest

from srpitp import Client

README = Path(__file__).parents[1] / "README.md"


def test_the_example(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = (data_dir / "url").read_text()
    with Client(url, (data_dir / "keys" / "admin").read_text()) as admin:
        owner = admin.owners.create("Reader of the README")
        secret = admin.owners.issue_key(owner.id).secret
    (tmp_path / "photo.jpg").write_bytes(b"no photo")
    monkeypatch.setenv("SRPITP_URL", url)
    monkeypatch.setenv("SRPITP_KEY", secret)
    monkeypatch.setenv("PHOTOS", str(tmp_path))
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(example, str(README), "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.startswith("photo.jpg image_unsupported ")
