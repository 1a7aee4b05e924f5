"""Runs of Spark jobs: what outgrows the matcher itself."""

from collections.abc import Iterator

from srpitp.connection import Connection
from srpitp_contracts.names import ServiceName
from srpitp_contracts.runs import Run, RunKind, RunRequest, RunState

_SERVICE = ServiceName.MATCHER


class Runs:
    """Sweeps and backlogs, done by Spark."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self, request: RunRequest) -> Run:
        """Have a run launched as soon as there is room for it."""
        return self._connection.create(_SERVICE, "/runs", Run, body=request)

    def get(self, run_id: str) -> Run:
        """Show a run, with how far it is."""
        return self._connection.get(_SERVICE, f"/runs/{run_id}", Run)

    def list(self, *, kind: RunKind | None = None, state: RunState | None = None) -> Iterator[Run]:
        """Iterate over runs, newest first."""
        return self._connection.pages(_SERVICE, "/runs", Run, kind=kind, state=state)

    def cancel(self, run_id: str) -> Run:
        """Cancel a run and end its job; the matches that it wrote stay."""
        answer = self._connection.call(_SERVICE, "DELETE", f"/runs/{run_id}")
        return Run.model_validate_json(answer.content, extra="ignore")
