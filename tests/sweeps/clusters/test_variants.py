"""The cluster files are what Ray, AWS and KubeRay take, and agree where they must."""

from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from picosweep.sweeps.workers.connection import WARM
from tests.hosts.hosts import ROOT

CLOUDS = ("aws", "gcp")
FOLDER = ROOT / "sweeps" / "clusters"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def _files() -> dict[str, dict[str, Any]]:
    files = {name: _read(FOLDER / f"{name}.yaml") for name in CLOUDS}
    return files | {"local": _read(ROOT / "cluster.yaml")}


@pytest.mark.parametrize("name", [*CLOUDS, "local"])
def test_ray_takes_it(name: str) -> None:
    """Ray's own defaults and schema, as `ray up` applies them."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(_files()[name])
    validate_config(prepared)
    prepared["max_worker"] = 1
    with pytest.raises(Exception, match="max_worker"):
        validate_config(prepared)


def test_all_install_and_protect_the_same() -> None:
    """What is copied, installed, and said to `ray start` differs in the cloud's own tools alone."""
    files = _files()
    local = files.pop("local")
    for content in files.values():
        for key in (
            *("file_mounts", "rsync_exclude", "setup_commands", "cluster_synced_files"),
            *("head_start_ray_commands", "worker_start_ray_commands"),
        ):
            assert content[key] == local[key], key
        assert content["head_setup_commands"][-1:] == local["head_setup_commands"]
    for started in ("head", "worker"):
        assert "RAY_AUTH_MODE=token" in local[f"{started}_start_ray_commands"][1]
        assert f"RAY_preload_python_modules={WARM};" in local[f"{started}_start_ray_commands"][1]
    for source in local["file_mounts"].values():
        assert (ROOT / source).exists()
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages <= set(local["file_mounts"].values())


def test_the_first_one_stands_at_the_top_too() -> None:
    """A copy and no link: `picosweep cluster-config > cluster.yaml` empties what it names first."""
    assert (ROOT / "cluster.yaml").read_bytes() == (FOLDER / "local.yaml").read_bytes()


def test_aws_finds_everything_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Role, key pair, subnets and security group, in an account that moto makes up."""
    moto = pytest.importorskip("moto")
    from ray.autoscaler._private.aws.config import bootstrap_aws
    from ray.autoscaler._private.util import prepare_config

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "made-up")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # for a real account to settle
    with moto.mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        resolved = bootstrap_aws(prepare_config(_files()["aws"]))
    nodes = {name: kind["node_config"] for name, kind in resolved["available_node_types"].items()}
    assert Path(resolved["auth"]["ssh_private_key"]).is_file()
    for node in nodes.values():
        assert node["SubnetIds"]
        assert node["SecurityGroupIds"]
        assert node["KeyName"]
    assert "IamInstanceProfile" in resolved["head_node"] | nodes["head"]
    assert nodes["worker"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in nodes["head"]


def test_gcp_workers_are_spot_and_the_head_is_not() -> None:
    """Terms of Google's instances.insert: a spot machine may not migrate and must say what then."""
    nodes = {n: k["node_config"] for n, k in _files()["gcp"]["available_node_types"].items()}
    assert nodes["worker"]["scheduling"]["provisioningModel"] == "SPOT"
    assert nodes["worker"]["scheduling"]["onHostMaintenance"] == "TERMINATE"
    assert "scheduling" not in nodes["head"]


def test_kuberay_takes_the_job() -> None:
    """The fields that the RayJob resource requires, and the versions and names that must agree.

    Source: ray-operator/config/crd/bases/ray.io_rayjobs.yaml of KubeRay, version v1.
    """
    job = _read(FOLDER / "kuberay-rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["metadata"]["name"]
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"] == {"mode": "token"}
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert {"groupName", "maxReplicas", "minReplicas", "template"} <= workers.keys()
    containers = [group["template"]["spec"]["containers"] for group in (head, workers)]
    assert len({container["image"] for (container,) in containers}) == 1
    assert head["serviceType"] == "ClusterIP"
    volumes = {volume["name"] for volume in head["template"]["spec"]["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in containers[0][0]["volumeMounts"]}
    assert mounts.keys() == volumes
    for path in mounts.values():
        assert path in job["spec"]["entrypoint"]
