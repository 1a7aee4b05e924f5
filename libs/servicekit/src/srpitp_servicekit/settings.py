"""Settings that every service shares, read from the environment (``SRPITP_...``)."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from srpitp_contracts.fingerprints import Profile
from srpitp_contracts.matching import MatchingMode
from srpitp_contracts.names import ServiceName


class StoreSettings(BaseSettings):
    """What is needed by whoever reads and writes the store, services and jobs alike.

    Each field's environment name is ``SRPITP_`` and the field's name in capitals.
    """

    model_config = SettingsConfigDict(env_prefix="SRPITP_", extra="ignore")

    mongodb_uri: str = Field(
        default="mongodb://127.0.0.1:27017/?replicaSet=srpitp",
        description="a replica set or a sharded cluster: transactions are needed",
    )
    mongodb_database: str = "srpitp"
    mongodb_timeout_seconds: float = Field(
        default=3, description="how long a request waits for a lost MongoDB before it gets 503"
    )
    data_dir: Path = Field(default=Path("data"), description="where the blobs lie")
    matching_mode: MatchingMode = Field(
        default=MatchingMode.STANDARD,
        description="the same for all services; fingerprints of the one mode are not comparable "
        "with those of the other, so choose before anything is registered",
    )
    log_level: str = "INFO"

    @property
    def fingerprint_profile(self) -> Profile:
        """The fingerprints that the mode compares."""
        return "paper" if self.matching_mode is MatchingMode.PAPER else "robust"


class ServiceSettings(StoreSettings):
    """Each field's environment name is ``SRPITP_`` and the field's name in capitals."""

    service_key: SecretStr = Field(description="the key by which services know each other")
    admin_key: SecretStr | None = Field(
        default=None, description="a key with every scope, for setting up; more keys by REST"
    )
    registration_url: str = "http://127.0.0.1:8001"
    crawler_url: str = "http://127.0.0.1:8002"
    fingerprint_url: str = "http://127.0.0.1:8003"
    matcher_url: str = "http://127.0.0.1:8004"
    notification_url: str = "http://127.0.0.1:8005"
    egress_allow: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description='private networks that may be fetched from, as JSON: ["127.0.0.0/8"]',
    )
    host: str = Field(default="127.0.0.1", description="where a service listens")
    port: int | None = Field(default=None, description="the port of the service's own URL, if none")

    def url_of(self, service: ServiceName) -> str:
        """Return the address at which a service is reached, without a slash at its end."""
        return str(getattr(self, f"{service}_url")).rstrip("/")
