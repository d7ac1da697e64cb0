"""Imports go down the floors only (docs/adr/0001 and CONTRIBUTING)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "chat_app"
FACTS = {
    "errors",
    "models",
    "protocol",
    "frames",
    "message_views",
    "emojis",
    "settings",
    "logs",
    "metrics",
    "data_folder",
    "bootstrap",
    "failpoints",
    "folding",
    "hints",
    "ports",
    "service_urls",
}
TOP = {
    "app",
    "cli",
    "commands",
    "smoke",
    "__main__",
    "loop",
    "listening",
    "worker",
    "children",
    "supervisor",
    "nodes",
    "parts",
    "administering",
    "maintenance",
}
BELOW = {
    "facts": {"facts"},
    "core": {"facts", "core"},
    "backends": {"facts", "backends"},
    "web": {"facts", "core", "web"},
}


def floor_of(module: str) -> str:
    name = module.removeprefix("chat_app").lstrip(".").split(".")[0]
    if name in ("core", "backends", "web"):
        return name
    return "top" if name in TOP else "facts"


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("chat_app"):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "chat_app"}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("chat_app.")}
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_nothing_from_above(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    own = floor_of(module)
    if own == "top":
        return
    above = {name for name in imports_of(path) if name != "chat_app" and floor_of(name) not in BELOW[own]}
    assert not above


def test_every_file_at_the_top_of_the_package_has_a_floor() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} <= FACTS | TOP


def test_tornado_has_the_private_names_that_the_adapter_uses() -> None:
    from tornado.util import _websocket_mask
    from tornado.websocket import WebSocketProtocol13, _WebSocketParams

    assert _websocket_mask(b"\0\0\0\0", b"abc") == b"abc"
    assert "_receive_frame_loop" in vars(WebSocketProtocol13)
    params = _WebSocketParams(
        ping_interval=None, ping_timeout=None, max_message_size=1, compression_options=None
    )
    assert params.max_message_size == 1
