"""Units and container files: they start what exists, as little privileged as it can be."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.edge.cli.entry import VERBS
from engine.edge.cli.exits import Exit
from engine.edge.settings import read_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
CONTAINERFILE = (DEPLOY / "container/Containerfile").read_text("utf-8")
COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
_SANDBOX = "# What it may do"


def unit(path: Path) -> dict[str, list[str]]:
    """The settings of a unit; one may stand several times."""
    found: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def stages() -> list[str]:
    """The text of each stage of the container file."""
    return re.split(r"(?m)^FROM ", CONTAINERFILE)[1:]


def services(path: Path) -> dict[str, dict[str, Any]]:
    """A compose file's services, merged as compose merges them."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["services"]
    return found


def ours(path: Path) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in services(path).items() if one["image"] == "forewarn:local"}


def variables(text: str) -> dict[str, str]:
    """The environment that the image sets."""
    return dict(re.findall(r"\b(FOREWARN_\w+)=(\S+)", text))


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_waits_for_ready_is_watched_and_starts_again(path):
    said = unit(path)
    assert said["Type"] == ["notify"]
    assert int(said["WatchdogSec"][0]) >= 30
    assert said["TimeoutStartSec"] == ["infinity"]
    assert said["Restart"] == ["always"]
    assert said["RestartPreventExitStatus"] == [
        f"{Exit.DECLARATIONS:d} {Exit.STATE:d} {Exit.USAGE:d}"
    ]
    verb = said["ExecStart"][0].split()[1]
    assert verb in VERBS


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_sets_only_settings_that_exist(path, tmp_path):
    environment = dict(
        value.replace("%H", "host").replace("%i", "1").split("=", 1)
        for value in unit(path).get("Environment", [])
    )
    read_settings(tmp_path, environment)


def test_all_units_are_boxed_in_alike():
    boxes = {path.read_text("utf-8").split(_SANDBOX)[1] for path in UNITS}
    assert len(UNITS) == 3
    assert len(boxes) == 1


def test_ports_of_units_on_one_machine_differ():
    ports = [
        value.replace("%i", "1").split("=")[1]
        for path in UNITS
        for value in unit(path).get("Environment", [])
        if "PORT" in value
    ]
    assert len(set(ports)) == len(ports) == 2


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_takes_the_unit_and_calls_it_well_boxed_in(path, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian: apt-get install systemd)")
    text = path.read_text("utf-8")
    place = tmp_path / path.name.replace("@", "@1")
    place.write_text(text.replace("/opt/forewarn/bin/forewarn", sys.executable), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert path.stem not in done.stderr
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-300:]


def test_the_image_that_runs_has_no_build_tools_and_no_privileges():
    build, final = stages()
    assert " AS build" in build.splitlines()[0]
    assert build.splitlines()[0].split()[0] == final.splitlines()[0].split()[0]
    assert "apt-get" not in final
    assert not re.search(r"pip.* install", final)
    assert "pip uninstall -y pip setuptools wheel" in final
    assert re.search(r"(?m)^USER 10001:10001$", final)
    assert final.index("\nUSER ") < final.index("\nENTRYPOINT ")
    assert not re.search(r"(?m)^RUN ", final[final.index("\nUSER ") :])
    assert "--require-hashes" in build
    assert "--only-binary :all:" in build
    assert "ADD " not in CONTAINERFILE


def test_the_image_starts_and_asks_by_our_own_command():
    _, final = stages()
    entry = json.loads(re.search(r"(?m)^ENTRYPOINT (.*)$", final)[1])  # type: ignore[index]
    command = json.loads(re.search(r"(?m)^CMD (.*)$", final)[1])  # type: ignore[index]
    health = json.loads(re.search(r"(?m)^  CMD (.*)$", final)[1])  # type: ignore[index]
    assert entry == ["/usr/bin/tini", "--", "forewarn"]
    assert command[0] in VERBS
    assert health[:1] == ["forewarn"]
    assert health[1] in VERBS
    assert health[2] == command[1]


def test_the_image_copies_what_is_there_and_sends_no_more_than_that():
    build, _ = stages()
    copied = {
        word for words in re.findall(r"(?m)^COPY ([^-].*) \S+$", build) for word in words.split()
    }
    for name in copied:
        assert (ROOT / name).exists(), name
    ignored = (DEPLOY / "container/Containerfile.dockerignore").read_text("utf-8").split()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = packages["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(wheel) <= copied


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_our_containers_are_read_only_and_set_only_settings_that_exist(path, tmp_path):
    assert ours(path)
    for one in ours(path).values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one.get("command", ["run"])[0] in VERBS
        built = (path.parent / one["build"]["context"] / one["build"]["dockerfile"]).resolve()
        assert built == DEPLOY / "container/Containerfile"
        said = {name: str(value) for name, value in one.get("environment", {}).items()}
        found = read_settings(tmp_path, {**variables(CONTAINERFILE), **said})
        assert found.data_folder == Path("/var/lib/forewarn")
        assert found.values.metrics.host == "0.0.0.0"


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_every_volume_is_declared_every_bind_exists_and_ports_are_for_this_machine_only(path):
    declared = set(yaml.safe_load(path.read_text("utf-8")).get("volumes", {}))
    used: set[str] = set()
    for one in services(path).values():
        for volume in one.get("volumes", []):
            if isinstance(volume, str):
                used.add(volume.split(":")[0])
            elif volume["type"] == "volume":
                used.add(volume["source"])
            elif not volume["source"].startswith("${"):
                assert (path.parent / volume["source"]).is_dir(), volume
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))
        assert not re.search(r":latest$|^[^:]+$", one["image"]), one["image"]
    assert used == declared


def test_the_brokers_of_the_compose_file_agree_and_keep_every_write_twice():
    found = services(DEPLOY / "compose/kafka.yaml")
    brokers = {name: one["environment"] for name, one in found.items() if "kafka-" in name}
    ids = {str(one["KAFKA_NODE_ID"]) for one in brokers.values()}
    assert len(brokers) == len(ids) == 3
    for name, said in brokers.items():
        voters = dict(
            voter.split("@") for voter in said["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(",")
        )
        assert set(voters) == ids
        assert voters[str(said["KAFKA_NODE_ID"])] == f"{name}:9093"
        assert said["KAFKA_ADVERTISED_LISTENERS"] == f"BROKER://{name}:9092"
        assert said["KAFKA_MIN_INSYNC_REPLICAS"] == 2
        assert said["KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR"] == 3
    for one in ours(DEPLOY / "compose/kafka.yaml").values():
        reached = one["environment"]["FOREWARN_BROKER"].removeprefix("kafka://").split(",")
        assert {place.split(":")[0] for place in reached} == set(brokers)
        assert set(one["depends_on"]) == set(brokers)


def test_the_broker_of_the_compose_file_is_the_one_the_tests_run():
    image = services(DEPLOY / "compose/kafka.yaml")["kafka-1"]["image"]
    version = image.split(":")[1]
    assert f"<version>{version}</version>" in (ROOT / "tests/broker/pom.xml").read_text("utf-8")


def test_prometheus_scrapes_the_containers_there_are():
    found = services(DEPLOY / "compose/kafka.yaml")
    document = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text("utf-8"))
    jobs = {job["job_name"]: job["static_configs"] for job in document["scrape_configs"]}
    targets = {target for one in jobs["forewarn"] for target in one["targets"]}
    port = variables(CONTAINERFILE)["FOREWARN_METRICS__PORT"]
    assert targets == {f"{name}:{port}" for name, one in found.items() if "build" in one}


def test_grafana_finds_the_dashboard_and_its_source():
    folder = DEPLOY / "grafana/provisioning"
    provider = yaml.safe_load((folder / "dashboards/forewarn.yaml").read_text("utf-8"))
    source = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text("utf-8"))
    mounts = services(DEPLOY / "compose/kafka.yaml")["grafana"]["volumes"]
    targets = {mount["source"]: mount["target"] for mount in mounts}
    assert targets["../grafana/dashboards"] == provider["providers"][0]["options"]["path"]
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    board = json.loads((DEPLOY / "grafana/dashboards/forewarn.json").read_text("utf-8"))
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])
