"""What can go wrong with a call."""

from srpitp_contracts.problems import Problem


class SrpitpError(Exception):
    """Something went wrong; the message is for people."""


class ApiError(SrpitpError):
    """A service answered with a problem (RFC 9457).

    Attributes
    ----------
    problem
        What it said: ``problem.code`` is for programs, ``problem.detail`` for people.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class UnreachableError(SrpitpError):
    """No answer came."""


class UnexpectedAnswerError(SrpitpError):
    """An answer came that no service of SRPITP gives: the address may be wrong."""
