"""Where SRPITP is, and by which key the command gets in.

Given by ``--url`` and ``--key`` or the environment; else it is the SRPITP of this machine, whose
data folder says where it listens and holds the administrator's key. With that key the first
command makes an owner for the person at the keyboard, and keeps this owner's key beside it.
"""

import getpass
import os
from functools import cached_property
from pathlib import Path

import typer

from srpitp.client import DEFAULT_URL, Client
from srpitp.errors import SrpitpError
from srpitp_contracts.names import ServiceName
from srpitp_contracts.registration import KeyRequest, Scope

DEFAULT_DATA_DIR = Path("~/.local/share/srpitp")


class Access:
    """The client of one run of the command, opened when it is first used."""

    def __init__(self, url: str | None, key: str | None, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._local_url = _content(data_dir / "url")
        self._url = (url or self._local_url or DEFAULT_URL).rstrip("/")
        self._key = key

    @cached_property
    def client(self) -> Client:
        """The client."""
        return self._client(self._key or self._local_key())

    def close(self) -> None:
        """Close the client if it was opened."""
        if "client" in self.__dict__:
            self.client.close()

    def _client(self, key: str) -> Client:
        elsewhere = {name: os.environ.get(f"SRPITP_{name.upper()}_URL") for name in ServiceName}
        urls = {name: url for name, url in elsewhere.items() if url}
        return Client(self._url, key, urls=urls)

    def _local_key(self) -> str:
        keys = self.data_dir / "keys"
        # This machine's keys are for this machine's SRPITP: never sent to another address.
        admin_key = _content(keys / "admin") if self._url == self._local_url else None
        if not admin_key:
            raise SrpitpError(
                f"No key for {self._url}: give --key or SRPITP_KEY, or start SRPITP on this "
                "machine with 'srpitp up'."
            )
        return _content(keys / "owner") or self._make_owner(admin_key, keys / "owner")

    def _make_owner(self, admin_key: str, path: Path) -> str:
        # One person does everything here, so one key allows everything but being a service.
        everything = KeyRequest(
            scopes=frozenset({Scope.OWNER, Scope.REVIEWER, Scope.ADMIN}), note="srpitp command"
        )
        with self._client(admin_key) as client:
            owner = client.owners.create(getpass.getuser())
            secret = client.owners.issue_key(owner.id, everything).secret
        path.touch(mode=0o600)
        path.write_text(secret)
        return secret


def client_of(context: typer.Context) -> Client:
    """Return the client of a command."""
    access: Access = context.obj
    return access.client


def _content(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
