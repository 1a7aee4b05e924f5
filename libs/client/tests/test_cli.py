"""The command against a whole SRPITP: what a person does, from the first photo to the alert."""

import functools
import http.server
import json
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from srpitp.cli import app

Run = Callable[..., Result]


@pytest.fixture
def srpitp(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on this machine's SRPITP, with nothing set up but where its data are."""
    for name in ("SRPITP_URL", "SRPITP_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SRPITP_DATA_DIR", str(data_dir))
    runner = CliRunner()

    def run(*arguments: str, answers: str | None = None) -> Result:
        return runner.invoke(app, list(arguments), input=answers)

    return run


def photo(seed: int) -> np.ndarray[Any, Any]:
    """Return an image with as much in it as a photo has."""
    noise = np.random.default_rng(seed).normal(size=(300, 400, 3))
    layers = [cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (2, 8, 40)]
    return np.clip(128 + 60 * sum(layers), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray[Any, Any], quality: int = 92) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def following() -> Iterator[subprocess.Popen[str]]:
    """Follow the alerts in a process of its own, which is ended in any case."""
    command = [str(Path(sys.executable).with_name("srpitp")), "alerts", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def website(folder: Path) -> Iterator[str]:
    handler = functools.partial(Silent, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Webhook(http.server.BaseHTTPRequestHandler):
    status = 204

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def webhook(status: int) -> Iterator[str]:
    handler = type("Handler", (Webhook,), {"status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook"
        server.shutdown()
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def publish(folder: Path, **images: bytes) -> None:
    folder.mkdir()
    for name, data in images.items():
        (folder / f"{name}.jpg").write_bytes(data)
    tags = "".join(f'<img src="{name}.jpg">' for name in images)
    (folder / "index.html").write_text(
        f'<html><head><title>Gallery</title><meta name="author" content="A. Thief\x1b[31m">'
        f"</head><body>{tags}</body></html>"
    )


def test_from_the_first_photo_to_the_alert(srpitp: Run, tmp_path: Path, data_dir: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    for seed in (1, 2, 3):
        (photos / f"{seed}.jpg").write_bytes(jpeg(photo(seed)))
    (photos / "more" / "4.jpg").write_bytes(jpeg(photo(4)))
    (photos / "notes.txt").write_text("no photo")
    site = tmp_path / "site"
    publish(site, same=jpeg(photo(1)), like=jpeg(photo(2), 40), other=jpeg(photo(9)))

    protected = srpitp("protect", str(photos))
    assert (protected.exit_code, protected.stdout) == (
        0,
        "4 protected, 0 protected already, 0 refused\n",
    )
    assert stat.S_IMODE((data_dir / "keys" / "owner").stat().st_mode) == 0o600

    (photos / "broken.jpg").write_bytes(b"no image at all")
    again = srpitp("protect", str(photos))
    assert again.exit_code == 1
    assert f"refused: {photos / 'broken.jpg'}: " in again.stdout
    assert "0 protected, 4 protected already, 1 refused" in again.stdout
    titles = {image["title"] for image in objects(srpitp("images", "--json"))}
    assert titles == {"1.jpg", "2.jpg", "3.jpg", "4.jpg"}
    assert "400 x 300 jpeg" in srpitp("images").stdout

    with website(site) as address:
        assert srpitp("sites", "add", address, "--name", "thief").exit_code == 0
        assert address in srpitp("sites", "list").stdout
        crawled = srpitp("crawl", "thief", "--wait")
    assert crawled.exit_code == 0, crawled.output
    assert "finished" in crawled.stdout

    found = {match["image_address"]: match for match in objects(srpitp("matches", "--json"))}
    same, like = found[f"{address}same.jpg"], found[f"{address}like.jpg"]
    assert len(found) == 2
    assert (same["verdict"], same["state"]) == ("exact", "confirmed")
    assert (like["verdict"], like["state"]) == ("similar", "in_review")
    assert f"{address}like.jpg" in srpitp("matches", "--state", "in_review").stdout

    skipped = srpitp("review", answers="s\n")
    assert "like.jpg" in skipped.stdout
    assert skipped.stdout.count("file://") == 3
    assert "\x1b" not in skipped.stdout
    assert "in_review" in srpitp("matches").stdout
    assert "confirmed: " in srpitp("review", answers="y\n").stdout
    assert "Nothing waits" in srpitp("review").stdout

    assert "in_review: " in srpitp("undo", like["id"], "--note", "a slip").stdout
    assert "confirmed: " in srpitp("review", like["id"], "--confirm").stdout
    settled = srpitp("review", like["id"], "--reject")
    assert settled.exit_code == 1
    assert settled.stderr.startswith("srpitp: ")

    wait_for(lambda: len(objects(srpitp("alerts", "--json"))) == 4)
    assert f"{address}same.jpg" in srpitp("alerts").stdout
    with following() as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        assert f"1.jpg: {address}same.jpg on {address}" in lines[0]  # the oldest first
        assert f"2.jpg: {address}like.jpg on {address}" in lines[1]
        events = [line.split()[2] for line in lines if "like.jpg" in line]
        assert sorted(events) == ["match.confirmed", "match.confirmed", "match.withdrawn"]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert (rest, process.returncode) == ("", 0)


def test_review_without_being_asked(srpitp: Run, tmp_path: Path) -> None:
    photos, site = tmp_path / "photos", tmp_path / "site"
    photos.mkdir()
    for seed in (21, 22):
        (photos / f"{seed}.png").write_bytes(cv2.imencode(".png", photo(seed))[1].tobytes())
    publish(site, near=jpeg(photo(21), 60), far=jpeg(photo(22), 60))
    assert srpitp("protect", str(photos)).exit_code == 0
    with website(site) as address:
        srpitp("sites", "add", address)
        (crawled,) = objects(srpitp("crawl", address, "--wait", "--json"))
    assert (crawled["state"], crawled["counts"]["images_new"]) == ("finished", 2)
    waiting = objects(srpitp("matches", "--state", "in_review", "--json"))
    rejected = next(match for match in waiting if match["image_address"].endswith("far.jpg"))
    assert "rejected" in srpitp("review", rejected["id"], "--reject", "--note", "no").stdout
    assert "0 still wait" in srpitp("review", "--all-below", "0.5").stdout
    states = {match["image_address"]: match for match in objects(srpitp("matches", "--json"))}
    assert states[f"{address}near.jpg"]["state"] == "confirmed"
    assert states[f"{address}far.jpg"]["state"] == "rejected"
    assert states[f"{address}far.jpg"]["note"] == "no"


def test_many_are_reviewed_at_once(srpitp: Run, tmp_path: Path) -> None:
    photos, site = tmp_path / "photos", tmp_path / "site"
    photos.mkdir()
    for seed in (41, 42):
        (photos / f"{seed}.jpg").write_bytes(jpeg(photo(seed)))
    publish(site, one=jpeg(photo(41), 60), two=jpeg(photo(42), 60))
    assert srpitp("protect", str(photos)).exit_code == 0
    with website(site) as address:
        srpitp("sites", "add", address)
        assert srpitp("crawl", address, "--wait").exit_code == 0
    host = address.removeprefix("http://").rstrip("/")
    nothing = srpitp("review", "--site", "elsewhere.example", "--reject")
    assert nothing.stdout.startswith("0 rejected")
    done = srpitp("review", "--site", host, "--uploader", "A. Thief\x1b[31m", "--reject")
    assert done.stdout == "2 rejected, 0 still wait for a review\n", done.output
    match = next(one for one in objects(srpitp("matches", "--json")) if host in str(one))
    assert match["state"] == "rejected"

    (excluded,) = objects(srpitp("exclusions", "add", match["id"], "--note", "a logo", "--json"))
    assert excluded["detected_id"] == match["detected_id"]
    assert match["image_address"] in srpitp("exclusions", "list").stdout
    assert srpitp("exclusions", "remove", excluded["id"]).exit_code == 0
    assert srpitp("exclusions", "list").stdout == "No image is excluded.\n"


def test_what_is_allowed_alerts_nobody(srpitp: Run, tmp_path: Path) -> None:
    photos, site = tmp_path / "photos", tmp_path / "site"
    photos.mkdir()
    (photos / "51.jpg").write_bytes(jpeg(photo(51)))
    publish(site, licensed=jpeg(photo(51)))
    assert srpitp("protect", str(photos)).exit_code == 0
    with website(site) as address:
        (made,) = objects(
            srpitp(
                "allowances", "add", address, "--until", "2099-01-01", "--note", "paid", "--json"
            )
        )
        srpitp("sites", "add", address)
        assert srpitp("crawl", address, "--wait").exit_code == 0
    image = f"{address}licensed.jpg"

    def state() -> str:
        found = {match["image_address"]: match for match in objects(srpitp("matches", "--json"))}
        return str(found[image]["state"])

    assert state() == "suppressed"
    assert address in srpitp("allowances", "list").stdout
    assert image not in srpitp("alerts").stdout
    assert srpitp("allowances", "remove", made["id"]).exit_code == 0
    wait_for(lambda: image in srpitp("alerts").stdout)
    assert state() == "confirmed"
    named = srpitp("allowances", "add", "example.org", "--uploader", "Anna")
    assert named.stdout.startswith("Anna on example.org is allowance ")


def test_of_what_to_be_alerted(srpitp: Run) -> None:
    assert "is alerted of everything" in srpitp("owners", "policy", "everything").stdout
    assert "everything" in srpitp("owners", "list").stdout
    assert "is alerted of confirmed" in srpitp("owners", "policy", "confirmed").stdout


def test_search(srpitp: Run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "31.jpg").write_bytes(jpeg(photo(31)))
    assert srpitp("protect", str(photos)).exit_code == 0
    copy, other = tmp_path / "copy.jpg", tmp_path / "other.jpg"
    copy.write_bytes(jpeg(photo(31)[20:, 30:], 50))
    other.write_bytes(jpeg(photo(99)))
    (found,) = objects(srpitp("search", str(copy), "--json"))
    assert (found["title"], found["verdict"], found["confident"]) == ("31.jpg", "similar", False)
    assert found["verification"]["alignment"]["inliers"] > 10
    assert "31.jpg" in srpitp("search", str(copy)).stdout
    assert "It shows none of the" in srpitp("search", str(other)).stdout
    told = srpitp("thresholds")
    assert "before a reviewer: nearness up to" in told.stdout
    assert json.loads(srpitp("thresholds", "--json").stdout)["preset"] == "budget"


def test_webhooks(srpitp: Run) -> None:
    with webhook(204) as address:
        (made,) = objects(srpitp("webhooks", "add", address, "--json"))
        assert made["secret"].startswith("whsec_")
        assert "The webhook answered 204" in srpitp("webhooks", "ping", made["id"]).stdout
        assert address in srpitp("webhooks", "list").stdout
    assert srpitp("webhooks", "remove", made["id"]).exit_code == 0
    assert address not in srpitp("webhooks", "list").stdout


def test_a_webhook_that_does_not_take_the_ping(srpitp: Run) -> None:
    with webhook(500) as address:
        (made,) = objects(srpitp("webhooks", "add", address, "--json"))
        ping = srpitp("webhooks", "ping", made["id"])
    assert ping.exit_code == 1
    assert "500" in ping.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("crawl", "nowhere"), "srpitp: No such site: nowhere.\n"),
        (("--key", "wrong", "images"), "srpitp: The key is not known, or was revoked.\n"),
    ],
)
def test_errors_are_one_sentence(srpitp: Run, arguments: tuple[str, ...], said: str) -> None:
    result = srpitp(*arguments)
    assert (result.exit_code, result.stderr) == (1, said)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sites", "add", "no address"),
        ("webhooks", "add", "no address"),
        ("protect", "/no/such/photo.jpg"),
        ("review", "--confirm"),
        ("review", "m1", "--all-below", "0.1"),
        ("review", "--site", "example.org"),
        ("review", "--site", "a/b", "--reject"),
        ("allowances", "add", "example.org/path"),
        ("exclusions", "add"),
        ("owners", "policy", "nothing"),
        ("matches", "--state", "lost"),
    ],
)
def test_wrong_usage(srpitp: Run, arguments: tuple[str, ...]) -> None:
    assert srpitp(*arguments).exit_code == 2


def test_nobody_there(srpitp: Run) -> None:
    result = srpitp("--url", "http://127.0.0.1:9", "--key", "k", "images")
    assert result.exit_code == 1
    assert result.stderr.endswith("Is 'srpitp up' running?\n")
    assert result.stderr.count("\n") == 1


def test_this_machines_key_is_sent_nowhere_else(srpitp: Run) -> None:
    result = srpitp("--url", "http://127.0.0.1:9", "images")
    assert result.exit_code == 1
    assert result.stderr.startswith("srpitp: No key for http://127.0.0.1:9")
