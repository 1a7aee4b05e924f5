"""A job as a process, in miniature: what a Spark job says of itself, and no Spark.

``python -m tests.services.matcher.runs.child BEHAVIOUR --run ID --attempt N``
"""

import argparse
import os
import sys
import time
from typing import Any

import pymongo

from srpitp_contracts.model import utc_now
from srpitp_contracts.runs import (
    RunCounts,
    RunProgress,
    begun,
    finished,
    heard,
    of_attempt,
)

_ENDS_SECONDS = 60


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("behaviour")
    parser.add_argument("--run", required=True)
    parser.add_argument("--attempt", type=int, required=True)
    options = parser.parse_args()
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        os.environ["SRPITP_MONGODB_URI"], appname="srpitp-spark", tz_aware=True
    )
    runs = client[os.environ["SRPITP_MONGODB_DATABASE"]]["runs"]
    mine = of_attempt(options.run, options.attempt)

    def say(update: dict[str, Any]) -> bool:
        return runs.update_one(mine, update).matched_count == 1

    def beat_until(last: float) -> bool:
        """Return whether the run still goes on at the end."""
        while time.monotonic() < last:
            if not say(heard(utc_now(), progress=RunProgress(done=1, total=2))):
                return False
            time.sleep(0.05)
        return True

    if not say(begun(utc_now())):
        return 0
    match options.behaviour:
        case "crash":
            print("no such thing", file=sys.stderr)
            return 3
        case "hang":
            time.sleep(_ENDS_SECONDS)
        case "first-hangs" if options.attempt == 1:
            beat_until(time.monotonic() + _ENDS_SECONDS)
            return 0
        case "long":
            if not beat_until(time.monotonic() + _ENDS_SECONDS):
                return 0
        case "a-while":
            if not beat_until(time.monotonic() + 2):
                return 0
    say(heard(utc_now(), progress=RunProgress(done=2, total=2)))
    say(finished(utc_now(), RunCounts(images=3, matches=1)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
