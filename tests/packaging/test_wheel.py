"""A wheel built from the tree, in an environment that holds nothing else, serves."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.processes import ROOT, Server, command, copy_tree, environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    tree = copy_tree(folder / "tree")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(tree)], env=environment(), check=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def roomlog(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment into which only the wheel was installed."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", str(wheel)], env=environment(), check=True)
    return folder / "bin" / "roomlog"


def test_wheel_holds_the_code_the_catalogues_the_templates_the_static_files_and_the_migrations(
    wheel: Path,
) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        *(
            f"chat_app/{file.relative_to(ROOT / 'chat_app')}"
            for kind in ("*.py", "*.po")
            for file in (ROOT / "chat_app").rglob(kind)
        ),
        *(
            f"chat_app/{file.relative_to(ROOT)}"
            for folder in ("templates", "static")
            for file in (ROOT / folder).rglob("*")
            if file.is_file()
        ),
    }
    assert any("/migrations/versions/" in name for name in wanted)
    assert any("/locale/de/" in name for name in wanted)
    assert wanted <= held, sorted(wanted - held)
    assert not [name for name in held if name.startswith(("tests/", "docs/", "bench/"))]


def test_installed_wheel_serves_pages_and_static_files(roomlog: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "data", program=[str(roomlog)], cwd=tmp_path) as server:
        assert '"ok"' in server.get("/healthz")
        assert server.setup_url is not None
        page = server.get(server.setup_url.removeprefix(server.url))
        assert "<form" in page
        parts = page.split('"')
        scripts = {part for part in parts if part.startswith("/static/js/") and ".js" in part}
        assert scripts
        for url in scripts:
            file = ROOT / url.lstrip("/").partition("?")[0]
            assert server.get(url) == file.read_text(encoding="utf-8")
        assert "@layer" in server.get(next(part for part in parts if "style.css" in part))
        assert server.stop() == 0, server.log


def test_installed_wheel_has_the_whole_command(roomlog: Path, tmp_path: Path) -> None:
    flags = ["--data", str(tmp_path / "data")]
    added = command(
        "user", "add", "ada", "--role", "owner", "--password-stdin", *flags,
        program=[str(roomlog)], typed="correct horse battery\n", cwd=tmp_path,
    )  # fmt: skip
    assert added.stdout == "Added ada as owner.\n", added.stderr
    listed = command("user", "list", *flags, program=[str(roomlog)], cwd=tmp_path)
    assert "ada" in listed.stdout
