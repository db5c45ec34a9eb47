"""The files of deploy/: what can be checked without the programs that they are for."""

import configparser
import json
import re
import shlex
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.testclient import TestClient

from edge_st.server import create_app
from edge_st.server.config import read_config
from edge_st.server.key_files import keys_of_environment
from tests.support.command_parsers import command_parsers

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVICE, SOCKET = DEPLOY / "systemd/edge-st.service", DEPLOY / "systemd/edge-st.socket"


class Unit(configparser.RawConfigParser):
    """A file of systemd, in which a key may come more than once: the last one stays."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.read(path, encoding="utf-8")

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, rest in lines]


def instruction(name: str) -> str:
    """The last one of its name, which is the one that counts."""
    return [rest for found, rest in instructions() if found == name][-1]


def manifest() -> dict[str, Any]:
    return {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def parsed(arguments: list[str]) -> Any:
    """The options of `edge-st serve`; an unknown one ends the test."""
    assert arguments[:2] == ["edge-st", "serve"]
    return command_parsers()["serve"].parse_args(arguments[2:])


@pytest.fixture(scope="module")
def app() -> Starlette:
    return create_app()


def test_the_unit_runs_a_command_that_there_is() -> None:
    service = Unit(SERVICE)["Service"]
    _, *arguments = shlex.split(service["ExecStart"])
    options = parsed(["edge-st", *arguments])
    assert options.config == "/etc/edge-st/serve.yaml"
    assert "LoadCredential=keys:" in SERVICE.read_text("utf-8")
    assert int(service["TimeoutStopSec"]) > options.drain_seconds


def test_the_socket_and_the_service_belong_together() -> None:
    assert SOCKET.stem == SERVICE.stem
    assert Unit(SERVICE)["Unit"]["Requires"] == SOCKET.name
    assert Unit(SOCKET)["Socket"]["ListenStream"].startswith("127.0.0.1:")


@pytest.mark.skipif(which("systemd-analyze") is None, reason="systemd-analyze is not there")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in (SERVICE, SOCKET):
        (tmp_path / path.name).write_text(path.read_text("utf-8").replace("/opt/edge-st/bin/edge-st", "/bin/true"))
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_runs_a_command_that_there_is() -> None:
    options = parsed([*json.loads(instruction("ENTRYPOINT")), *json.loads(instruction("CMD"))])
    assert options.models == ["all-MiniLM-L6-v2"]
    assert (options.host, options.port) == ("0.0.0.0", int(instruction("EXPOSE")))
    assert re.fullmatch(r"\d+:\d+", instruction("USER")), "Kubernetes can only check a number"


def test_the_image_copies_files_that_there_are() -> None:
    sources = [name for found, rest in instructions() if found == "COPY" for name in rest.split()[:-1]]
    default = instruction("ARG").removeprefix("MODEL=")
    local = [name.replace("${MODEL}", default) for name in sources if not name.startswith(("/", "--"))]
    assert default in local
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for name in local:
        assert (DEPLOY.parent / name).exists()
        assert f"!{name.split('/')[0]}" in ignored


def test_the_image_asks_for_its_health(app: Starlette) -> None:
    check = instruction("HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    address = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", command[-1])
    assert address is not None
    assert address[1] == instruction("EXPOSE")
    with TestClient(app) as client:
        assert client.get(address[2]).status_code == 200


def test_compose_runs_a_command_that_there_is() -> None:
    service, options = compose()["services"]["edge-st"], json.loads(instruction("ENTRYPOINT"))
    options = parsed([*options, *service["command"]])
    assert int(service["stop_grace_period"].removesuffix("s")) > options.drain_seconds
    mounted = [each.split(":")[1] for each in service["volumes"]]
    assert options.config in mounted
    assert options.keys == Path("/run/secrets", service["secrets"][0])
    assert (DEPLOY.parent / service["build"]["dockerfile"]).is_file()


def test_kubernetes_asks_for_routes_that_there_are(app: Starlette) -> None:
    (container,) = manifest()["Deployment"]["spec"]["template"]["spec"]["containers"]
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/ready", "readiness": "/ready", "liveness": "/health"}
    metrics = manifest()["Deployment"]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"]
    with TestClient(app) as client:
        assert {client.get(path).status_code for path in {*probes.values(), metrics}} == {200}
        commented = re.findall(r"metric: \{name: (\w+)\}", (DEPLOY / "kubernetes.yaml").read_text("utf-8"))
        assert commented
        assert [name for name in commented if f"\n{name}{{" not in client.get(metrics).text] == []


def test_kubernetes_waits_until_the_server_is_done() -> None:
    pod = manifest()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    options = parsed([*json.loads(instruction("ENTRYPOINT")), *container["args"]])
    sleep = int(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pod["terminationGracePeriodSeconds"] > sleep + options.drain_seconds
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert mounts == {str(Path(options.config).parent), "/tmp"}
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}


def test_kubernetes_hands_keys_over_as_the_server_reads_them() -> None:
    (container,) = manifest()["Deployment"]["spec"]["template"]["spec"]["containers"]
    (variable,) = container["env"]
    comment = (DEPLOY / "kubernetes.yaml").read_text("utf-8").splitlines()[0]
    assert f"generic {variable['valueFrom']['secretKeyRef']['name']} " in comment
    entry = re.search(r'keys="(\w+):\$\(openssl rand -hex 32\)"', comment)
    assert entry is not None
    assert keys_of_environment({variable["name"]: f"{entry[1]}:{'0f' * 32}"}) == {"0f" * 32: entry[1]}


def test_configurations_can_be_read(tmp_path: Path) -> None:
    in_kubernetes = tmp_path / "serve.yaml"
    in_kubernetes.write_text(manifest()["ConfigMap"]["data"]["serve.yaml"])
    for path in (DEPLOY / "serve.yaml", in_kubernetes):
        assert [model.name for model in read_config(path).models] == ["all-MiniLM-L6-v2"]
