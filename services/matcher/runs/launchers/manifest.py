"""The SparkApplication of an attempt: a function of the run and the settings, and nothing else."""

from typing import Any

from services.matcher.runs.launchers.environment import job_environment
from services.matcher.runs.settings import RunSettings
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.runs import Run, RunKind, job_arguments

GROUP = "sparkoperator.k8s.io"
VERSION = "v1beta2"
PLURAL = "sparkapplications"
PART_OF = "app.kubernetes.io/part-of"
RUN_ANNOTATION = "srpitp.io/run"

_DATA_FOLDER = "/data"
_LOCAL_FOLDER = "/var/data/spark-local"
_SPARK_USER = 185  # of the image: nobody else needs it, and no root
_MAIN_FILES = {RunKind.MATCH: "match_job.py", RunKind.FINGERPRINT: "fingerprint_job.py"}
_SPARK_CONF = {
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.kubernetes.executor.deleteOnTermination": "true",
}

Manifest = dict[str, Any]


def application_name(run: Run) -> str:
    """Return the name of an attempt's application: a DNS-1035 label, the same for ever."""
    return f"srpitp-{run.kind}-{derived_id('application', run.id)[:16]}-{run.attempts}"


def driver_pod(application: str) -> str:
    """Return the name that the operator gives an application's driver."""
    return f"{application}-driver"


def manifest(run: Run, settings: RunSettings) -> Manifest:
    """Return the application that runs a run's latest attempt.

    The operator tries nothing again: whether there is another attempt is said in one place, by
    the matcher, and each has a name of its own.
    """
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "SparkApplication",
        "metadata": {
            "name": application_name(run),
            "namespace": settings.spark_namespace,
            "labels": _labels(run) | {"app.kubernetes.io/managed-by": "srpitp-matcher"},
            "annotations": {RUN_ANNOTATION: run.id},
        },
        "spec": _spec(run, settings),
    }


def _labels(run: Run) -> dict[str, str]:
    return {PART_OF: "srpitp", "srpitp.io/job": str(run.kind)}


def _spec(run: Run, settings: RunSettings) -> Manifest:
    return {
        "type": "Python",
        "pythonVersion": "3",
        "mode": "cluster",
        "sparkVersion": settings.spark_version,
        "image": settings.spark_image,
        "imagePullPolicy": settings.spark_image_pull_policy,
        "imagePullSecrets": list(settings.spark_image_pull_secrets),
        "mainApplicationFile": f"{settings.spark_jobs_folder.rstrip('/')}/{_MAIN_FILES[run.kind]}",
        "arguments": job_arguments(run.id, run.attempts),
        "restartPolicy": {"type": "Never"},
        "timeToLiveSeconds": settings.spark_ttl_seconds,
        "sparkConf": _SPARK_CONF | settings.spark_conf,
        "dynamicAllocation": {
            "enabled": True,
            "initialExecutors": settings.spark_executors_min,
            "minExecutors": settings.spark_executors_min,
            "maxExecutors": settings.spark_executors_max,
        },
        "volumes": _volumes(settings),
        "driver": _driver(run, settings),
        "executor": _executor(run, settings),
    }


def _driver(run: Run, settings: RunSettings) -> Manifest:
    return _pod(run, settings, "spark-driver") | {
        "serviceAccount": settings.spark_service_account,
        "cores": settings.spark_driver_cores,
        "memory": settings.spark_driver_memory,
        "memoryOverhead": settings.spark_driver_memory_overhead,
    }


def _executor(run: Run, settings: RunSettings) -> Manifest:
    return _pod(run, settings, "spark-executor") | {
        "cores": settings.spark_executor_cores,
        "memory": settings.spark_executor_memory,
        "memoryOverhead": settings.spark_executor_memory_overhead,
    }


def _pod(run: Run, settings: RunSettings, component: str) -> Manifest:
    return {
        "labels": _labels(run) | {"app.kubernetes.io/component": component},
        "env": _environment(settings),
        "envFrom": [{"configMapRef": {"name": name}} for name in settings.spark_config_maps],
        "volumeMounts": _mounts(settings),
        "nodeSelector": dict(settings.spark_node_selector),
        "tolerations": [dict(each) for each in settings.spark_tolerations],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _SPARK_USER,
            "runAsGroup": _SPARK_USER,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _environment(settings: RunSettings) -> list[Manifest]:
    secret = {"name": settings.spark_mongodb_secret, "key": settings.spark_mongodb_secret_key}
    folders = {"SRPITP_DATA_DIR": _DATA_FOLDER, "SRPITP_SPARK_DIR": f"{_LOCAL_FOLDER}/srpitp"}
    plain = job_environment(settings) | folders
    return [
        {"name": "SRPITP_MONGODB_URI", "valueFrom": {"secretKeyRef": secret}},
        *({"name": name, "value": value} for name, value in sorted(plain.items())),
    ]


def _volumes(settings: RunSettings) -> list[Manifest]:
    # By its name Spark takes it for its own files: the slabs are mapped from there.
    volumes: list[Manifest] = [
        {"name": "spark-local-dir-1", "emptyDir": {"sizeLimit": settings.spark_local_dir_size}}
    ]
    if settings.spark_data_claim:
        claim = {"claimName": settings.spark_data_claim, "readOnly": True}
        volumes.append({"name": "data", "persistentVolumeClaim": claim})
    return volumes


def _mounts(settings: RunSettings) -> list[Manifest]:
    mounts: list[Manifest] = [{"name": "spark-local-dir-1", "mountPath": _LOCAL_FOLDER}]
    if settings.spark_data_claim:
        mounts.append({"name": "data", "mountPath": _DATA_FOLDER, "readOnly": True})
    return mounts
