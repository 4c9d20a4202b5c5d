"""The head of a cluster, and how to reach it: from Ray's cluster file, or `user@host`."""

import contextlib
import getpass
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from picosweep.sweeps.errors import InputError, input_error


@dataclass(frozen=True, kw_only=True)
class Head:
    """The machine on which a cluster's driver runs and its results land."""

    address: str
    """As the user gave it."""
    host: str
    user: str | None = None
    """Name of the user there; None: as ssh's own configuration says."""
    options: tuple[str, ...] = ()
    """Arguments for ssh: the key, a proxy, how host keys are checked."""

    @property
    def target(self) -> str:
        """What ssh and rsync connect to."""
        return f"{self.user}@{self.host}" if self.user else self.host


def find_head(address: str) -> Head:
    """Find the head of a running cluster.

    Args:
        address: a cluster file that `ray up` was given, or `[user@]host` of a head that somebody
            else started, reached as ssh's own configuration says.

    Raises:
        InputError: there is no such file, it does not describe a cluster, or the cluster is down.
    """
    path = Path(address).expanduser()
    if path.is_file():
        return _from_file(path, address)
    if path.suffix in {".yaml", ".yml"} or "/" in address or not address:
        raise input_error(
            "there is no such cluster file",
            where=address,
            hint="start from the cluster.yaml of Picosweep's checkout, or give user@host",
        )
    user, _, host = address.rpartition("@")
    return Head(address=address, host=host, user=user or None)


def _from_file(path: Path, address: str) -> Head:
    config = _read(path)
    auth = config.get("auth") or {}
    # As Ray's launcher does: a cloud gives the addresses of old machines to new ones.
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    options += ["-o", "LogLevel=ERROR"]
    key = auth.get("ssh_private_key") or _cloud_key(path, config)
    if key:
        options += ["-o", "IdentitiesOnly=yes", "-i", str(Path(key).expanduser())]
    if auth.get("ssh_proxy_command"):
        options += ["-o", f"ProxyCommand={auth['ssh_proxy_command']}"]
    return Head(
        address=address,
        host=_head_ip(path, config),
        user=auth.get("ssh_user") or getpass.getuser(),
        options=tuple(options),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise input_error(f"this cluster file cannot be read: {error}", where=str(path)) from error
    if not isinstance(config, dict) or "cluster_name" not in config or "provider" not in config:
        raise input_error(
            "this is not a cluster file of Ray: it needs cluster_name and provider", where=str(path)
        )
    if (config.get("docker") or {}).get("container_name"):
        raise input_error(
            "clusters in containers are not supported: submit talks to the hosts themselves",
            where=str(path),
            key="docker",
        )
    return config


def _head_ip(path: Path, config: dict[str, Any]) -> str:
    from ray.autoscaler import sdk  # noqa: PLC0415 - takes a second

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return str(sdk.get_head_node_ip(str(path)))
    except InputError:
        raise
    except Exception as error:
        name = config["cluster_name"]
        found = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise input_error(
            f"the cluster {name!r} is not up, as far as this machine knows",
            where=str(path),
            found=found,
            hint=f"ray up {path}; or give user@host if it was brought up elsewhere",
        ) from error


def _cloud_key(path: Path, config: dict[str, Any]) -> str | None:
    """Return the key that Ray's launcher made for a cloud; the local provider has none."""
    if config["provider"].get("type") == "local":
        return None
    from ray.autoscaler import sdk  # noqa: PLC0415 - takes a second

    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            resolved = sdk.bootstrap_config(sdk.fillout_defaults(config))
    except Exception as error:
        raise input_error(
            f"the cloud does not answer: {type(error).__name__}: {error}", where=str(path)
        ) from error
    key = resolved.get("auth", {}).get("ssh_private_key")
    return None if key is None else str(key)
