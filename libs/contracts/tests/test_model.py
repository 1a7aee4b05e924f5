from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError

from srpitp_contracts.model import (
    Digest,
    FingerprintBytes,
    Identifier,
    Model,
    Several,
    UtcTime,
    utc_now,
)

times: TypeAdapter[datetime] = TypeAdapter(UtcTime)
fingerprints: TypeAdapter[bytes] = TypeAdapter(FingerprintBytes)
identifiers: TypeAdapter[str] = TypeAdapter(Identifier)
digests: TypeAdapter[str] = TypeAdapter(Digest)

offsets = st.builds(
    timezone, st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23))
)


@given(st.datetimes(timezones=offsets))
def test_time_is_utc_to_the_millisecond_and_stays_so(moment: datetime) -> None:
    try:
        taken = times.validate_python(moment)
    except ValidationError as error:
        # Within a day of the ends of the calendar there may be no such time in UTC.
        assert "years 1 to 9999" in str(error)  # noqa: PT017
        return
    assert taken.tzinfo is UTC
    assert taken.microsecond % 1000 == 0
    assert timedelta() <= moment - taken < timedelta(milliseconds=1)
    assert times.validate_python(taken) == taken
    assert times.validate_json(times.dump_json(taken)) == taken


@pytest.mark.parametrize(
    "wrong", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2030-01-01T00:00:00", "x"]
)
def test_no_time_in_utc(wrong: str) -> None:
    with pytest.raises(ValidationError):
        times.validate_python(wrong)


def test_now_is_a_utc_time() -> None:
    assert times.validate_python(utc_now()) is not None
    assert times.validate_python(utc_now()).microsecond % 1000 == 0


@given(st.binary(min_size=180, max_size=180))
def test_fingerprint_is_base64_in_json_and_bytes_in_python(raw: bytes) -> None:
    assert fingerprints.validate_json(fingerprints.dump_json(raw)) == raw
    assert fingerprints.dump_python(fingerprints.validate_python(raw)) == raw


@given(st.one_of(st.binary(max_size=179), st.binary(min_size=181, max_size=400)))
def test_fingerprint_has_its_length(raw: bytes) -> None:
    with pytest.raises(ValidationError):
        fingerprints.validate_python(raw)


@given(st.text())
def test_text_that_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        fingerprints.validate_python(text)


@pytest.mark.parametrize("wrong", ["", "a" * 65, "a/b", "a b", "ü", "a\n", "$gt", "a.b"])
def test_identifier_is_safe_in_paths_and_queries(wrong: str) -> None:
    with pytest.raises(ValidationError):
        identifiers.validate_python(wrong)


@pytest.mark.parametrize("wrong", ["", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_digest_is_64_hexadecimal_digits(wrong: str) -> None:
    with pytest.raises(ValidationError):
        digests.validate_python(wrong)


def test_models_are_values() -> None:
    class Point(Model):
        x: int

    with pytest.raises(ValidationError):
        Point.model_validate({"x": 1, "y": 2})
    with pytest.raises(ValidationError):
        Point(x=1).x = 2  # type: ignore[misc]
    assert len({Point(x=1), Point(x=1)}) == 1


@given(st.sets(st.text()))
def test_sets_are_in_order_in_json(values: set[str]) -> None:
    sets: TypeAdapter[frozenset[str]] = TypeAdapter(Several[str])
    assert sets.dump_python(frozenset(values), mode="json") == sorted(values)
    assert sets.dump_python(frozenset(values)) == values
