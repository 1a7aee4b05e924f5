from srpitp_contracts.names import SHARD_KEYS, WRITERS, Collection, JobName, ServiceName


def test_every_collection_has_its_writers() -> None:
    assert set(WRITERS) == set(Collection)
    services = {name: writers & set(ServiceName) for name, writers in WRITERS.items()}
    shared = {name for name, writers in services.items() if len(writers) != 1}
    assert shared == {Collection.OUTBOX, Collection.DESCRIPTIONS}


def test_jobs_write_what_they_must_and_nothing_else() -> None:
    assert {name for name, writers in WRITERS.items() if JobName.SPARK in writers} == {
        Collection.MATCHES,
        Collection.DETECTED,
        Collection.DESCRIPTIONS,
        Collection.PROTECTED,
        Collection.REGISTRY,
        Collection.RUNS,
    }


def test_shard_keys_are_one_hashed_field_or_a_range_that_splits() -> None:
    for key in SHARD_KEYS.values():
        assert len(key) == 1 or key[-1] == "_id"
