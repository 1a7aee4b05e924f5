"""Settings of runs: where Spark jobs are launched, when they are given up, what hands over."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from srpitp_contracts.runs import LauncherName
from srpitp_servicekit.settings import ServiceSettings


class WatchSettings(ServiceSettings):
    """When a run is launched, given up, and started by itself."""

    run_launcher: LauncherName = Field(
        default=LauncherName.LOCAL,
        description="local: a process beside the matcher; kubernetes: by the Spark operator",
    )
    runs_at_once: int = Field(default=1, ge=1, description="by one matcher")
    run_max_attempts: int = Field(default=3, ge=1, description="failures after which a run failed")
    run_retry_seconds: float = Field(
        default=30, ge=0, description="before the second attempt; doubled for each further one"
    )
    run_start_seconds: float = Field(
        default=900, gt=0, description="in which a launched job is to say that it has begun"
    )
    run_heartbeat_seconds: float = Field(
        default=120, gt=0, description="after which a job that is not heard of is taken for lost"
    )
    run_lease_seconds: float = Field(
        default=30, gt=0, description="after which another matcher takes up the runs of a lost one"
    )
    run_poll_seconds: float = Field(default=1, gt=0, description="how often a run is looked at")
    handover_pairs: int | None = Field(
        default=10_000_000_000,
        ge=0,
        description="waiting work, in pairs of images, above which a Spark job does it instead of "
        "the matcher; never if none (as JSON: null)",
    )
    handover_check_seconds: float = Field(default=10, gt=0, description="how often it is measured")
    handover_pause_seconds: float = Field(
        default=3600, ge=0, description="for which nothing is handed over after a job that failed"
    )
    sweep_every_hours: float | None = Field(
        default=None, gt=0, description="time between sweeps over all tags; no sweep if none"
    )
    sweep_at_hour: float = Field(
        default=2, ge=0, lt=24, description="UTC; the times of sweeps are counted from here"
    )
    spark_master: str = Field(
        default="local[*]", description="of the local launcher's jobs, as Spark takes it"
    )


class RunSettings(WatchSettings):
    """Where the Spark operator runs jobs; secrets are named here, their values never are."""

    kubeconfig: Path | None = Field(
        default=None, description="how the API server is reached; the pod's own account if none"
    )
    kubernetes_timeout_seconds: float = Field(default=10, gt=0, description="for one answer")
    spark_namespace: str = "srpitp"
    spark_image: str = Field(default="", description="what drivers and executors run")
    spark_image_pull_policy: str = "IfNotPresent"
    spark_image_pull_secrets: tuple[str, ...] = Field(default=(), description="as JSON")
    spark_version: str = Field(default="4.0.4", description="of Spark in the image")
    spark_jobs_folder: str = Field(
        default="local:///opt/srpitp/spark", description="where the jobs lie in the image"
    )
    spark_service_account: str = Field(
        default="srpitp-spark", description="of drivers: they make executors"
    )
    spark_mongodb_secret: str = Field(
        default="srpitp-mongodb", description="the Secret that holds MongoDB's URI"
    )
    spark_mongodb_secret_key: str = Field(default="uri", description="and where in it")
    spark_config_maps: tuple[str, ...] = Field(
        default=(), description="ConfigMaps that become environment variables of jobs, as JSON"
    )
    spark_data_claim: str | None = Field(
        default=None, description="the PersistentVolumeClaim of the blobs, for fingerprint runs"
    )
    spark_driver_cores: int = Field(default=1, ge=1)
    spark_driver_memory: str = "2g"
    spark_driver_memory_overhead: str = "1g"
    spark_executor_cores: int = Field(default=2, ge=1)
    spark_executor_memory: str = "2g"
    spark_executor_memory_overhead: str = Field(
        default="4g", description="Python and the slabs, which are outside of Java"
    )
    spark_executors_min: int = Field(default=1, ge=1)
    spark_executors_max: int = Field(default=4, ge=1)
    spark_local_dir_size: str = Field(default="10Gi", description="for slabs and shuffles, a pod")
    spark_node_selector: dict[str, str] = Field(default={}, description="as JSON")
    spark_tolerations: tuple[dict[str, Any], ...] = Field(default=(), description="as JSON")
    spark_conf: dict[str, str] = Field(default={}, description="more of Spark's own, as JSON")
    spark_ttl_seconds: int = Field(
        default=86_400, ge=0, description="for which an ended application and its log are kept"
    )
    spark_log: str = Field(
        default="kubectl logs --namespace {namespace} {pod}",
        description="where a driver's log is found",
    )

    @model_validator(mode="after")
    def _knows_its_image(self) -> Self:
        if self.run_launcher is LauncherName.KUBERNETES and not self.spark_image:
            raise ValueError("SRPITP_SPARK_IMAGE is needed to launch jobs on Kubernetes")
        if self.spark_executors_min > self.spark_executors_max:
            raise ValueError("there cannot be less executors at most than at least")
        return self
