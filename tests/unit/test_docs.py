"""The documents against the code: what one promises the other has."""

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chat_app import __version__, cli, protocol
from chat_app.core import room_limits
from chat_app.metrics import BrokerMetrics, Metrics
from chat_app.settings import SETTINGS
from chat_app.web.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
FRAMES = [
    kind for name, kind in vars(protocol).items()
    if name.endswith("Frame") and issubclass(kind, msgspec.Struct)
]  # fmt: skip
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_settings_page_is_what_the_table_makes(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "chat_app").symlink_to(ROOT / "chat_app")
    maker = tmp_path / "docs" / "make_settings.py"
    maker.write_text(text("docs/make_settings.py"), encoding="utf-8")
    subprocess.run([sys.executable, str(maker)], check=True)
    made = (tmp_path / "docs" / "settings.md").read_text(encoding="utf-8")
    assert text("docs/settings.md") == made, "run `python docs/make_settings.py`"


def test_readme_gives_the_two_commands_first() -> None:
    commands = re.findall(r"^    (python .*)$", text("README.md"), re.MULTILINE)
    assert commands[:2] == ["python run.py", "python -m tests"]


def test_operations_page_knows_every_command() -> None:
    page = text("docs/operations.md")
    for usage, _ in cli.COMMANDS:
        words = re.findall(r"[a-z]+", usage.partition(" -")[0].partition(" [")[0])
        assert words == ["serve"] or " ".join(words) in page, usage


def frames_of_examples() -> list[dict[str, Any]]:
    """What the server says in docs/protocol.md; `…` stands for what is left out."""
    lines = re.findall(r"^← (\{.*\})$", text("docs/protocol.md"), re.MULTILINE)
    return [json.loads(line.replace(",…}", "}").replace("{…}", "{}")) for line in lines]


def test_examples_of_the_protocol_are_frames_of_the_code() -> None:
    kinds = {frame.__struct_config__.tag: frame for frame in FRAMES}
    examples = frames_of_examples()
    assert {"history", "message", "ack", "heartbeat", "system", "presence"} <= {e["type"] for e in examples}
    for example in examples:
        fields = {
            field.encode_name: field.required for field in msgspec.structs.fields(kinds[example["type"]])
        }
        assert set(example) - {"type"} <= set(fields), example
        assert {name for name, required in fields.items() if required} <= set(example), example


def test_examples_of_the_protocol_follow_its_algorithm() -> None:
    """The position moves as the page says: by one, by `history`, and by `join` after a hole."""
    position, acked = 41, dict[str, int]()
    for example in frames_of_examples():
        match example["type"]:
            case "history":
                assert example["seq"] >= position
                position = example["seq"]
            case "message":
                assert example["seq"] == example["message"]["seq"] == position + 1
                position += 1
            case "ack":
                acked[example["nonce"]] = example["seq"]
                assert example["seq"] <= position
            case "heartbeat":
                assert example["heads"]["lobby"] > position
                assert f'"since":{position},' in text("docs/protocol.md")
    assert acked == {"n1": 44, "n2": 45}


def test_protocol_page_has_the_numbers_of_the_code() -> None:
    page = " ".join(text("docs/protocol.md").split())
    assert f"over {room_limits.RESUME_LIMIT:,} behind the head" in page
    backoff = text("static/js/net/backoff.js") + text("static/js/net/closing.js")
    assert (
        "BASE_MS = 500" in backoff and "CAP_MS = 10_000" in backoff and "RESTART_SPREAD_MS = 5_000" in backoff
    )
    assert "(up to 0.5 s, doubling to 10 s; after 1012 up to 5 s)" in page
    assert "SILENT_HEARTBEATS = 2.5" in text("static/js/net/socket.js")
    assert "No frame for 2.5 heartbeats" in page


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target


@pytest.mark.parametrize("name", ["README.md", "docs/operations.md"])
def test_settings_named_in_the_documents_exist(name: str) -> None:
    named = set(re.findall(r"\b(?:CHAT_[A-Z_]+|[A-Z]+_(?:ORIGINS|URL))\b", text(name)))
    assert named
    assert named <= {setting.variable for setting in SETTINGS}
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text(name)))
    foreign = {
        "--now", "--system", "--home-dir", "--shell", "--pipe", "--wait", "--uid",  # of systemd and useradd
        "--env-file", "--build", "--detach", "--no-deps",  # of docker compose
    }  # fmt: skip
    assert flags - foreign <= {setting.flag for setting in SETTINGS} | cli._OWN_FLAGS


def test_operations_page_knows_every_metric() -> None:
    metrics = Metrics()
    BrokerMetrics(metrics.registry)
    families = {family.name: family.type for family in metrics.registry.collect()}
    page = text("docs/operations.md")
    for name, kind in families.items():
        assert f"`{name}_total`" in page if kind == "counter" else f"`{name}`" in page, name
    assert set(re.findall(r"`(chat_[a-z_]+?)(?:_total)?`", page)) == set(families)


def test_protocol_page_knows_every_address() -> None:
    promised = set(re.findall(r"`(GET|POST) (/[^`?\s]*)", text("docs/protocol.md")))
    found = set()
    for pattern, handler in ROUTES:
        path = re.sub(r"\(\[.*?\)", "*", pattern).replace("\\.", ".")
        assert "(" not in path, pattern
        found |= {(method, path) for method in ("GET", "POST") if method in handler.methods()}
    assert {(method, re.sub(r"[A-Z]{2,}", "*", path)) for method, path in promised} == found


def test_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "## [Unreleased]" in text("CHANGELOG.md")


def test_licence_is_the_one_of_the_metadata() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["license"] == "MIT"
    assert text("LICENSE").startswith("MIT License")
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_every_test_that_the_security_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", text("docs/security.md")))
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("**/test_*.py")]
    found = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    assert len(named) > 50
    assert named <= found
