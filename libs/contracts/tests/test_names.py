from srpitp_contracts.names import SHARD_KEYS, WRITERS, Collection, ServiceName


def test_every_collection_has_its_writers() -> None:
    assert set(WRITERS) == set(Collection)
    assert all(writers <= set(ServiceName) for writers in WRITERS.values())
    shared = {name for name, writers in WRITERS.items() if len(writers) != 1}
    assert shared == {Collection.OUTBOX}


def test_shard_keys_are_one_hashed_field_or_a_range_that_splits() -> None:
    for key in SHARD_KEYS.values():
        assert len(key) == 1 or key[-1] == "_id"
