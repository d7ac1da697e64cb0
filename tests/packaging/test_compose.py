"""compose.yaml and what stands beside it in deploy/: of one mind with the settings, the image and each other."""

import os
import re
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from chat_app.settings import SETTINGS, SettingsError, load
from tests.ports import free_port
from tests.processes import ROOT
from tests.services import missing_redis, need

COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NODES = [name for name, service in SERVICES.items() if "build" in service]
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / "deploy" / ".env.example").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
FILLED = {**dict.fromkeys(EXAMPLE, "0123456789abcdef" * 4), "DOMAIN": "chat.example.org"}
VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?([^}]*)\}")


def filled(text: str, values: dict[str, str]) -> str:
    """As compose puts the variables in; raises KeyError where it would refuse."""

    def put(found: re.Match[str]) -> str:
        name, sign, rest = found.groups()
        value = values.get(name, "")
        if not value and sign == ":?":
            raise KeyError(name)
        return value or (rest if sign == ":-" else "")

    return VARIABLE.sub(put, text)


def test_the_schema_is_that_of_compose() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_nothing_starts_without_the_secrets_and_none_is_in_the_files() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    named = {(name, sign) for name, sign, _ in VARIABLE.findall(text)}
    assert {name for name, _ in named} == set(EXAMPLE)
    assert {name for name, sign in named if sign != ":?"} == {"CHAT_METRICS_TOKEN"}
    assert not any(EXAMPLE.values())
    for name in set(EXAMPLE) - {"CHAT_METRICS_TOKEN"}:
        with pytest.raises(KeyError):
            filled(text, {**FILLED, name: ""})
    assert "/deploy/.env\n" in (ROOT / ".gitignore").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_may_do_only_what_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert name in NODES or re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z]+", service["image"])
    assert ("ports" in service) == (name == "caddy")
    assert name in NODES or "healthcheck" in service
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_only_caddy_has_a_way_out_and_only_nodes_reach_the_stores() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert [name for name, value in COMPOSE["networks"].items() if not (value or {}).get("internal")] == [
        "edge"
    ]
    assert {name for name, joined in networks.items() if "edge" in joined} == {"caddy"}
    assert {name for name, joined in networks.items() if "back" in joined} == {*NODES, "postgres", "redis"}


@pytest.mark.parametrize("name", NODES)
def test_nodes_are_given_settings_that_can_be_used(name: str) -> None:
    node = SERVICES[name]
    given = {name: filled(value, FILLED) for name, value in node["environment"].items()}
    assert set(given) <= {setting.variable for setting in SETTINGS}
    settings = load({}, given)
    assert settings.allowed_origins == ("https://chat.example.org",)
    assert node["stop_grace_period"] == "30s"  # draining takes 25
    (network,) = settings.trusted_proxies
    caddy = ip_address(SERVICES["caddy"]["networks"]["front"]["ipv4_address"])
    assert list(network) == [caddy]
    (subnet,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    assert caddy in ip_network(subnet["subnet"])
    with pytest.raises(SettingsError):
        load({}, {**given, "CHAT_COOKIE_SECRET": "short"})


def test_caddy_asks_every_node_at_its_port() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    (upstreams,) = re.findall(r"reverse_proxy (.+) \{", text)
    port = next(setting.default for setting in SETTINGS if setting.name == "port")
    assert upstreams.split() == [f"{name}:{port}" for name in NODES]
    assert f"EXPOSE {port}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"\{\$(\w+)\}", text)) <= set(SERVICES["caddy"]["environment"])


def test_redis_starts_with_its_password_and_keeps_nothing(tmp_path: Path) -> None:
    """The command as it stands, on another port."""
    need(missing_redis())
    service, port, password = SERVICES["redis"], str(free_port()), FILLED["REDIS_PASSWORD"]
    (*shell, script), health = service["command"], service["healthcheck"]["test"]
    script = script.replace("$$", "$").replace("server - ", f"server - --port {port} --dir {tmp_path} ")
    given = {**os.environ, "REDISCLI_AUTH": filled(service["environment"]["REDISCLI_AUTH"], FILLED)}

    def ask(*words: str, auth: str = password) -> str:
        command = ["redis-cli", "-p", port, *words]
        return subprocess.run(
            command, env={**given, "REDISCLI_AUTH": auth}, capture_output=True, text=True, check=False
        ).stdout

    process = subprocess.Popen([*shell, script], env=given, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        assert health[0] == "CMD-SHELL"
        check = health[1].replace("redis-cli", f"redis-cli -p {port}")
        while subprocess.run(["sh", "-c", check], env=given, capture_output=True, check=False).returncode:
            assert process.poll() is None
        assert "NOAUTH" in ask("ping", auth="")
        kept = ask("config", "get", "save", "appendonly", "maxmemory-policy").split("\n")
        assert dict(zip(kept[::2], kept[1::2], strict=False)) == {
            "save": "", "appendonly": "no", "maxmemory-policy": "noeviction",
        }  # fmt: skip
    finally:
        process.terminate()
        assert process.wait(30) == 0, "the shell has given its place to Redis, which takes the signal"
    assert not list(tmp_path.iterdir())
