"""One Spark session for all tests of the jobs, and a store that holds what the services write."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from spark.session import open_session
from spark.settings import Settings
from spark.store import Address, Store, open_store
from srpitp_servicekit.spark import why_no_spark
from tests.command_listener import Watch, writer_named
from tests.spark.pictures import World


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if reason := why_no_spark():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("spark")
    conf = {"spark.driver.memory": "1g", "spark.local.dir": str(folder)}
    settings = Settings(spark_master="local[2,4]", spark_conf=conf)
    with open_session(settings, "tests") as session:
        yield session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """PySpark leaves its sockets to the garbage collector."""
    leaves = pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(leaves)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Let the garbage collector come while that is expected."""
    yield
    gc.collect()


@pytest.fixture
def settings(environment: dict[str, str], tmp_path: Path) -> Settings:
    return Settings(
        mongodb_uri=environment["SRPITP_MONGODB_URI"],
        mongodb_database=environment["SRPITP_MONGODB_DATABASE"],
        data_dir=tmp_path / "data",
        spark_heartbeat_seconds=0.05,
        match_tags_from=0,  # as where many are protected
    )


@pytest.fixture
def store(
    settings: Settings, noted_violations: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    def watched_client(*args: Any, **options: Any) -> Any:
        watch = Watch(writer_named(options["appname"]), noted_violations)
        return MongoClient(*args, event_listeners=[watch], **options)

    monkeypatch.setattr("spark.store.MongoClient", watched_client)
    with open_store(Address.of(settings)) as opened:
        yield opened
        opened.drop()


@pytest.fixture
def world(store: Store) -> World:
    return World(store)
