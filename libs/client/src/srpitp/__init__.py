"""SRPITP's REST interface from Python."""

from srpitp.client import Client
from srpitp.errors import ApiError, SrpitpError, UnexpectedAnswerError, UnreachableError

__all__ = ["ApiError", "Client", "SrpitpError", "UnexpectedAnswerError", "UnreachableError"]
