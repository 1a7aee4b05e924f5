"""The manifest of an attempt: what the operator's schema and webhook take, and no secret in it."""

from pathlib import Path
from typing import Any

import pytest
from kubeflow_spark_api.models import SparkV1beta2SparkApplication
from pydantic import SecretStr, ValidationError

from services.matcher.runs.launchers.manifest import application_name, manifest
from services.matcher.settings import Settings
from srpitp_contracts.model import utc_now
from srpitp_contracts.runs import (
    LauncherName,
    Run,
    RunKind,
    RunReason,
    RunRequest,
    new_run,
)
from tests.services.matcher.runs.spark_application import SparkApplication, denied_by_webhook

SECRET = "mongodb://user:hunter2@mongo.example/?replicaSet=rs"
FULL: dict[str, Any] = {
    "spark_image_pull_secrets": ["pull"],
    "spark_config_maps": ["srpitp-spark"],
    "spark_data_claim": "srpitp-data",
    "spark_node_selector": {"kubernetes.io/arch": "amd64"},
    "spark_tolerations": [{"key": "batch", "operator": "Exists", "effect": "NoSchedule"}],
    "spark_conf": {"spark.sql.shuffle.partitions": "64"},
}


def settings(**changes: Any) -> Settings:
    return Settings(
        mongodb_uri=SECRET,
        service_key=SecretStr("srpitp_hunter3"),
        admin_key=SecretStr("srpitp_hunter4"),
        data_dir=Path("/somewhere"),
        **{"run_launcher": "kubernetes", "spark_image": "srpitp/spark:1", **changes},
    )


def run(kind: RunKind = RunKind.MATCH, attempt: int = 1, id_: str = "0f" * 16) -> Run:
    request = RunRequest(kind=kind)
    made = new_run(id_, request, RunReason.REQUEST, LauncherName.KUBERNETES, utc_now())
    return made.model_copy(update={"attempts": attempt})


def check(application: dict[str, Any]) -> None:
    # The operator's own models leave out what they do not know: nothing may be lost on the way.
    read = SparkV1beta2SparkApplication.from_dict(application)
    assert read is not None
    assert read.to_dict() == application
    SparkApplication.model_validate(application)
    assert denied_by_webhook(application) is None


@pytest.mark.parametrize("kind", RunKind)
@pytest.mark.parametrize("changes", [{}, FULL])
def test_the_operator_takes_it(kind: RunKind, changes: dict[str, Any]) -> None:
    application = manifest(run(kind), settings(**changes))
    check(application)
    assert application["spec"]["arguments"] == ["--run", "0f" * 16, "--attempt", "1"]
    assert application["spec"]["mainApplicationFile"].endswith(f"/{kind}_job.py")


def test_the_same_attempt_is_the_same_application() -> None:
    assert manifest(run(), settings()) == manifest(run(), settings())
    names = {
        application_name(run(kind, attempt, id_))
        for kind in RunKind
        for attempt in (1, 2)
        for id_ in ("_-a", "A" * 64)
    }
    assert len(names) == 8
    assert all(len(f"{name}-driver-svc") <= 63 for name in names)
    check(manifest(run(RunKind.FINGERPRINT, 1234, "_" * 64), settings()))


def test_no_secret_is_in_it() -> None:
    text = str(manifest(run(), settings(**FULL)))
    assert "hunter" not in text
    uri = manifest(run(), settings())["spec"]["driver"]["env"][0]
    assert uri == {
        "name": "SRPITP_MONGODB_URI",
        "valueFrom": {"secretKeyRef": {"name": "srpitp-mongodb", "key": "uri"}},
    }


def test_jobs_are_told_how_the_matcher_is_set_up() -> None:
    env = manifest(run(), settings(mongodb_database="photos"))["spec"]["executor"]["env"]
    assert {"name": "SRPITP_MONGODB_DATABASE", "value": "photos"} in env
    assert all("value" not in each or each["value"] != "None" for each in env)


@pytest.mark.parametrize(
    "broken",
    [
        lambda spec: spec.update(nodeSelektor={}),
        lambda spec: spec["driver"]["env"][0].update(valueFor={}),
        lambda spec: spec["driver"]["tolerations"].append({"key": 1}),
        lambda spec: spec["executor"].update(cores=0),
        lambda spec: spec.update(timeToLiveSeconds="1h"),
        lambda spec: spec.pop("sparkVersion"),
    ],
)
def test_the_schema_is_strict(broken: Any) -> None:
    application = manifest(run(), settings())
    broken(application["spec"])
    with pytest.raises(ValidationError):
        SparkApplication.model_validate(application)


@pytest.mark.parametrize(
    "changes",
    [
        {"spark_conf": {"spark.master": "local"}},
        {"spark_conf": {"spark.kubernetes.authenticate.driver.oauthToken": "t"}},
    ],
)
def test_the_webhook_is_too(changes: dict[str, Any]) -> None:
    assert denied_by_webhook(manifest(run(), settings(**changes)))


@pytest.mark.parametrize(
    "changes", [{"spark_image": ""}, {"spark_executors_min": 5, "spark_executors_max": 4}]
)
def test_settings_that_make_no_application_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**changes)
