"""What is said in two places says the same."""

import pytest

import srpitp_fingerprint
from srpitp_contracts import matching, model
from srpitp_contracts.names import SHARD_KEYS, TAGS, WRITERS, Collection, ServiceName
from srpitp_tagging import Head
from tools import openapi


def test_contracts_and_library_agree() -> None:
    # The contracts do not import the library: a client would have to install OpenCV.
    assert model.FINGERPRINT_BYTES == srpitp_fingerprint.FINGERPRINT_BYTES
    assert [one.value for one in matching.Verdict] == [
        one.value for one in srpitp_fingerprint.Verdict
    ]


def test_every_collection_has_a_writer() -> None:
    assert set(WRITERS) == set(Collection)
    assert set(SHARD_KEYS) <= set(Collection)


@pytest.mark.parametrize("service", ServiceName)
def test_openapi_documents_are_current(service: ServiceName) -> None:
    kept = (openapi.FOLDER / f"{service}.json").read_text()
    assert kept == openapi.document(service), "the interface changed: run 'make openapi'"


def test_the_tags_are_those_of_the_head_that_ships() -> None:
    assert Head.read().tags == TAGS
