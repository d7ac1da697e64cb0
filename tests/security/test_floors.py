"""The versions that are installed meet the floors of setup.cfg, and each floor is there for a reason."""

import configparser
import importlib.metadata
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REASONS = {
    "tornado": (
        "6.6.1",
        "cross_origin_protection, on which every form relies, is new in 6.6; web/wire.py holds private names of it",
    ),
    "jinja2": (
        "3.1.6",
        "earlier ones have known holes: attributes by xmlattr (3.1.4), ways out of the sandbox (3.1.6)",
    ),
    "msgspec": (
        "0.19",
        "the decoder's bounds on depth and numbers are tested with it (tests/security/test_json.py)",
    ),
    "SQLAlchemy": ("2.1", "hide_parameters and the types the statements are written for"),
    "asyncpg": ("0.30", "the first for Python 3.13; speaks TLS by sslmode as the URL says"),
    "redis": ("8", "its asyncio client, whose timeouts and resubscription are tested with it"),
    "alembic": ("1.14", "the first that knows SQLAlchemy 2.1's reflection as the migrations use it"),
    "argon2-cffi": ("23.1", "argon2id (RFC 9106) with parameters as they are stored"),
    "prometheus-client": ("0.20", "the text format that /metrics promises"),
    "markdown-it-py": (
        "3.0",
        "before 2.2 a text could make it fail or hang (CVE-2023-26302, CVE-2023-26303)",
    ),
    "linkify-it-py": ("2.0", "goes with markdown-it-py 3"),
    "nh3": ("0.2.18", "sanitises messages: link_rel and url_schemes as core/markdown.py gives them"),
    "emoji": ("2.14", "knows the emoji of Unicode 16: what is none is refused (chat_app/emojis.py)"),
    "babel": ("2.16", "before 2.9.1 a locale's name could load a file from anywhere (CVE-2021-42771)"),
}
"""By distribution: (its floor, why not an older one)."""


def floors() -> dict[str, str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].split()
    return dict(re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", line).groups() for line in lines)  # type: ignore[union-attr]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def test_every_floor_has_its_reason() -> None:
    assert floors() == {name: floor for name, (floor, _) in REASONS.items()}
    assert all(len(reason) > 10 for _, reason in REASONS.values())


@pytest.mark.parametrize("name", REASONS)
def test_what_is_installed_is_not_older(name: str) -> None:
    assert numbers(importlib.metadata.version(name)) >= numbers(REASONS[name][0])
