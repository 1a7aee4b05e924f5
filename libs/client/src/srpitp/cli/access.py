"""Where SRPITP is, and by which key the command gets in.

Given by ``--url`` and ``--key`` or the environment; else it is the SRPITP of this machine, whose
data folder says where it listens and holds the administrator's key. The first command that needs
an owner makes one for the person at the keyboard, and keeps this owner's key beside it.
"""

import os
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import typer

from srpitp.client import DEFAULT_URL, Client
from srpitp.errors import SrpitpError
from srpitp_contracts.names import ServiceName

DEFAULT_DATA_DIR = Path("~/.local/share/srpitp")


class Access:
    """The clients of one run of the command, opened when they are first used."""

    def __init__(self, url: str | None, key: str | None, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._keys = data_dir / "keys"
        self._local_url = _content(data_dir / "url")
        self._url = (url or self._local_url or DEFAULT_URL).rstrip("/")
        self._key = key
        self._opened = ExitStack()

    @cached_property
    def owner(self) -> Client:
        """By the key that was given, or else this person's own."""
        return self._open(self._key or self._local_key("owner") or self._make_owner())

    @cached_property
    def admin(self) -> Client:
        """By the key that was given, or else this machine's administrator's."""
        return self._open(self._key or self._admin_key())

    def close(self) -> None:
        """Close the clients that were opened."""
        self._opened.close()

    def _open(self, key: str) -> Client:
        elsewhere = {name: os.environ.get(f"SRPITP_{name.upper()}_URL") for name in ServiceName}
        urls = {name: url for name, url in elsewhere.items() if url}
        return self._opened.enter_context(Client(self._url, key, urls=urls))

    def _local_key(self, name: str) -> str | None:
        # This machine's keys are for this machine's SRPITP: never sent to another address.
        return _content(self._keys / name) if self._url == self._local_url else None

    def _admin_key(self) -> str:
        key = self._local_key("admin")
        if not key:
            raise SrpitpError(
                f"No key for {self._url}: give --key or SRPITP_KEY, or start SRPITP on this "
                "machine with 'srpitp up'."
            )
        return key

    def _make_owner(self) -> str:
        owner = self.admin.owners.create(os.environ.get("USER", "owner"))
        secret = self.admin.owners.issue_key(owner.id).secret
        path = self._keys / "owner"
        path.touch(mode=0o600)
        path.write_text(secret)
        return secret


def access_of(context: typer.Context) -> Access:
    """Return how a command gets in."""
    access: Access = context.obj
    return access


def _content(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
