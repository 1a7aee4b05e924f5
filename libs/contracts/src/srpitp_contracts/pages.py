"""Lists on the wire, by cursor."""

from typing import Generic, TypeVar

from pydantic import Field

from srpitp_contracts.model import Model

Item = TypeVar("Item", bound=Model)


class Page(Model, Generic[Item]):
    """A part of a list; ask again with ``next_cursor`` until it is null."""

    items: list[Item]
    next_cursor: str | None = Field(default=None)
