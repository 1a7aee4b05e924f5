"""What the Spark operator takes: the schema of ``sparkoperator.k8s.io/v1beta2``, strictly.

Written after the operator's ``SparkApplicationSpec`` (kubeflow/spark-operator v2.x, Apache-2.0:
api/v1beta2/sparkapplication_types.go and the validating webhook). Field by field where the
operator's own types are concerned; Kubernetes' types within them are those of its Python client.
An unknown field is an error, as it is for ``kubectl --validate=strict``.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from kubernetes import client
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Int32 = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Texts = dict[str, str]

_API = client.ApiClient(client.Configuration())
_DNS_1035_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"|[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DENIED_CONF = {
    "spark.master",
    "spark.kubernetes.driver.master",
    "spark.kubernetes.container.image",
    "spark.kubernetes.driver.container.image",
    "spark.kubernetes.executor.container.image",
    "spark.kubernetes.authenticate.driver.serviceAccountName",
    "spark.kubernetes.authenticate.executor.serviceAccountName",
}
_DENIED_TOKENS = re.compile(r"spark\.kubernetes\.authenticate\.(.+\.)?oauthToken(File)?")


def _check(name: str, value: Any) -> Any:
    model: Any = getattr(client, name)
    said = _API.sanitize_for_serialization(model.model_validate(value))  # type: ignore[no-untyped-call]
    if said != value:  # the client drops what it does not know
        raise ValueError(f"{name} does not have all of {value}")
    return value


def _one(name: str) -> AfterValidator:
    """Take what fits a type of Kubernetes."""
    return AfterValidator(lambda value: _check(name, value))


def _each(name: str) -> AfterValidator:
    """Take a list of what fits a type of Kubernetes."""
    return AfterValidator(lambda values: [_check(name, value) for value in values])


def _label_values(labels: Texts) -> Texts:
    for name, value in labels.items():
        if not _LABEL_VALUE.fullmatch(value):
            raise ValueError(f"the label {name} cannot be {value!r}")
    return labels


Labels = Annotated[Texts, AfterValidator(_label_values)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class RestartPolicy(Strict):
    type: Literal["Never", "Always", "OnFailure"] | None = None
    on_submission_failure_retries: Annotated[Int32, Field(ge=0)] | None = None
    on_failure_retries: Annotated[Int32, Field(ge=0)] | None = None
    on_submission_failure_retry_interval: Annotated[Int64, Field(ge=1)] | None = None
    on_failure_retry_interval: Annotated[Int64, Field(ge=1)] | None = None


class DynamicAllocation(Strict):
    enabled: bool = False
    initial_executors: Int32 | None = None
    min_executors: Int32 | None = None
    max_executors: Int32 | None = None
    shuffle_tracking_enabled: bool | None = None
    shuffle_tracking_timeout: Int64 | None = None


class NamePath(Strict):
    name: str
    path: str


class Secret(Strict):
    name: str
    path: str
    secret_type: str


class NameKey(Strict):
    name: str
    key: str


class Port(Strict):
    name: str
    protocol: str
    container_port: Int32


class Gpu(Strict):
    name: str
    quantity: Int64


class Pod(Strict):
    template: dict[str, Any] | None = None
    cores: Annotated[Int32, Field(ge=1)] | None = None
    core_limit: str | None = None
    core_request: str | None = None
    memory: str | None = None
    memory_overhead: str | None = None
    gpu: Gpu | None = None
    image: str | None = None
    config_maps: list[NamePath] | None = None
    secrets: list[Secret] | None = None
    env: Annotated[list[Any], _each("V1EnvVar")] | None = None
    env_vars: Texts | None = None
    env_from: Annotated[list[Any], _each("V1EnvFromSource")] | None = None
    env_secret_key_refs: dict[str, NameKey] | None = None
    labels: Labels | None = None
    annotations: Texts | None = None
    volume_mounts: Annotated[list[Any], _each("V1VolumeMount")] | None = None
    affinity: Annotated[dict[str, Any], _one("V1Affinity")] | None = None
    tolerations: Annotated[list[Any], _each("V1Toleration")] | None = None
    pod_security_context: Annotated[dict[str, Any], _one("V1PodSecurityContext")] | None = None
    security_context: Annotated[dict[str, Any], _one("V1SecurityContext")] | None = None
    scheduler_name: str | None = None
    sidecars: Annotated[list[Any], _each("V1Container")] | None = None
    init_containers: Annotated[list[Any], _each("V1Container")] | None = None
    host_network: bool | None = None
    node_selector: Texts | None = None
    dns_config: Annotated[dict[str, Any], _one("V1PodDNSConfig")] | None = None
    termination_grace_period_seconds: Int64 | None = None
    service_account: str | None = None
    host_aliases: Annotated[list[Any], _each("V1HostAlias")] | None = None
    share_process_namespace: bool | None = None
    runtime_class_name: str | None = None
    java_options: str | None = None
    lifecycle: Annotated[dict[str, Any], _one("V1Lifecycle")] | None = None
    ports: list[Port] | None = None
    priority_class_name: str | None = None


class Driver(Pod):
    pod_name: str | None = None
    kubernetes_master: str | None = None
    service_annotations: Texts | None = None
    service_labels: Texts | None = None


class Executor(Pod):
    instances: Annotated[Int32, Field(ge=1)] | None = None
    delete_on_termination: bool | None = None


class Prometheus(Strict):
    jmx_exporter_jar: str
    port: Annotated[Int32, Field(ge=1024, le=49151)] | None = None
    port_name: str | None = None
    config_file: str | None = None
    configuration: str | None = None


class Monitoring(Strict):
    expose_driver_metrics: bool
    expose_executor_metrics: bool
    metrics_properties: str | None = None
    metrics_properties_file: str | None = None
    prometheus: Prometheus | None = None


class BatchSchedulerOptions(Strict):
    queue: str | None = None
    priority_class_name: str | None = None
    resources: dict[str, str | int] | None = None


class Dependencies(Strict):
    jars: list[str] | None = None
    files: list[str] | None = None
    py_files: list[str] | None = None
    packages: list[str] | None = None
    exclude_packages: list[str] | None = None
    repositories: list[str] | None = None
    archives: list[str] | None = None


class Spec(Strict):
    type: Literal["Java", "Python", "Scala", "R"]
    spark_version: str
    mode: Literal["cluster", "client"] | None = None
    proxy_user: str | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: list[str] | None = None
    main_class: str | None = None
    main_application_file: str
    arguments: list[str] | None = None
    spark_conf: Texts | None = None
    hadoop_conf: Texts | None = None
    spark_config_map: str | None = None
    hadoop_config_map: str | None = None
    volumes: Annotated[list[Any], _each("V1Volume")] | None = None
    driver: Driver
    executor: Executor
    deps: Dependencies | None = None
    restart_policy: RestartPolicy | None = None
    node_selector: Texts | None = None
    failure_retries: Int32 | None = None
    retry_interval: Int64 | None = None
    python_version: Literal["2", "3"] | None = None
    memory_overhead_factor: str | None = None
    monitoring: Monitoring | None = None
    batch_scheduler: str | None = None
    batch_scheduler_options: BatchSchedulerOptions | None = None
    time_to_live_seconds: Int64 | None = None
    dynamic_allocation: DynamicAllocation | None = None
    suspend: bool | None = None


class Metadata(Strict):
    name: str
    namespace: str
    labels: Labels = {}
    annotations: Texts = {}


class SparkApplication(Strict):
    api_version: Literal["sparkoperator.k8s.io/v1beta2"]
    kind: Literal["SparkApplication"]
    metadata: Metadata
    spec: Spec


def denied_by_webhook(application: Mapping[str, Any]) -> str | None:
    """Return what the operator's webhook has against an application that fits the schema."""
    spec, name = application["spec"], application["metadata"]["name"]
    if not _DNS_1035_LABEL.fullmatch(name):
        return f"invalid SparkApplication name {name!r}"
    pods = (spec["driver"], spec["executor"])
    if "nodeSelector" in spec and any("nodeSelector" in pod for pod in pods):
        return "node selector cannot be defined at both SparkApplication and Driver/Executor"
    for key in spec.get("sparkConf", {}):
        if key in _DENIED_CONF or _DENIED_TOKENS.fullmatch(key):
            return f"sparkConf key {key!r} is not allowed"
    return _against_executors(spec)


def _against_executors(spec: Mapping[str, Any]) -> str | None:
    allocation = spec.get("dynamicAllocation", {})
    if not allocation.get("enabled"):
        return None
    most = allocation.get("maxExecutors", 2**31)
    initial = max(
        allocation.get("minExecutors", 0),
        allocation.get("initialExecutors", 0),
        spec["executor"].get("instances", 0),
    )
    if most <= 0 or initial > most:
        return f"the initial number of executors {initial} cannot be greater than {most}"
    return None
