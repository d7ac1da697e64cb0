"""Makes what the peers need, in `bench/.cache/`: an environment of their own, node_modules, built binaries.

`__main__` calls `prepare` before the network is left. What cannot be had is not an error: the report names it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent
CACHE = FOLDER / ".cache"
PEERS = FOLDER / "peers"
NODE = CACHE / "node"
VENV = CACHE / "venv"
GORILLA = CACHE / "gorilla_hub"
BUN = NODE / "node_modules" / "@oven" / "bun-linux-x64" / "bin" / "bun"
GO_PATH = Path("/usr/share/gocode")


class Missing(Exception):
    """Why a peer cannot run here."""


def prepare() -> dict[str, str]:
    """What is missing, by the kind of peer (node, bun, python, go), with the reason."""
    CACHE.mkdir(exist_ok=True)
    missing: dict[str, str] = {}
    steps: dict[str, Callable[[], None]] = {
        "node": _install_node, "bun": _check_bun, "python": _install_python, "go": _build_go,
    }  # fmt: skip
    for kind, step in steps.items():
        try:
            step()
        except Missing as reason:
            missing[kind] = str(reason)
    return missing


def _install_node() -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        raise Missing("node and npm are not installed")
    NODE.mkdir(exist_ok=True)
    for hub in PEERS.glob("*.mjs"):  # they find their modules from where they lie
        shutil.copy(hub, NODE)
    wanted = [PEERS / "package.json", PEERS / "package-lock.json"]
    if all((NODE / file.name).exists() and _same(file, NODE / file.name) for file in wanted):
        return
    for file in wanted:
        shutil.copy(file, NODE)
    try:
        _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], NODE)
    except Missing:
        (NODE / "package.json").unlink()
        raise


def _check_bun() -> None:
    if not BUN.exists():
        raise Missing("npm brings no Bun for this machine")


def _install_python() -> None:
    wanted, installed = PEERS / "requirements.txt", VENV / "requirements.txt"
    if installed.exists() and _same(wanted, installed):
        return
    _run([sys.executable, "-m", "venv", str(VENV)], CACHE)
    _run([str(VENV / "bin" / "pip"), "install", "--quiet", "-r", str(wanted)], CACHE)
    shutil.copy(wanted, installed)


def _build_go() -> None:
    if not shutil.which("go"):
        raise Missing("Debian's golang is not installed")
    if not (GO_PATH / "src/github.com/gorilla/websocket").exists():
        raise Missing("Debian's golang-github-gorilla-websocket-dev is not installed")
    source = PEERS / "gorilla" / "main.go"
    if not GORILLA.exists() or GORILLA.stat().st_mtime < source.stat().st_mtime:
        environment = {"GOPATH": str(GO_PATH), "GO111MODULE": "off", "GOCACHE": str(CACHE / "go")}
        _run(["go", "build", "-o", str(GORILLA), str(source)], CACHE, environment)


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    except OSError as error:
        raise Missing(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"`{' '.join(command[:2])}` failed: {lines[-1] if lines else done.returncode}")
