"""A copy of the tree as a clone has it, and environments without anything in them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import copy_tree


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has nothing installed, not even pip."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("clones") / "roomlog")


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    return copy_tree(tmp_path / "roomlog")
