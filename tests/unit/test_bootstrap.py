"""The lists in bootstrap.py against setup.cfg, and what an interpreter that lacks something is told."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

from chat_app import bootstrap

ROOT = Path(__file__).resolve().parents[2]

# Where a distribution is imported by another name than its own.
IMPORT_NAMES = {
    "argon2-cffi": "argon2",
    "markdown-it-py": "markdown_it",
    "linkify-it-py": "linkify_it",
    "setuptools": "pkg_resources",  # what pytest-tornado needs it for; setuptools 82 has it no more
}


def imported(requirements: str) -> set[str]:
    names = [re.split(r"[<>=]", line)[0].lower() for line in requirements.split()]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def test_modules_are_those_of_setup_cfg() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = imported(setup["options"]["install_requires"])
    assert set(bootstrap.MODULES) == required
    assert set(bootstrap.TEST_MODULES) == required | imported(setup["options.extras_require"]["test"])


def test_every_package_folder_is_listed_for_the_wheel() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split()) - {"chat_app.templates", "chat_app.static"}
    found = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "chat_app").rglob("*.py")}
    assert listed == found


def test_bootstrap_imports_the_standard_library_only() -> None:
    code = (
        "import sys, chat_app.bootstrap\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'chat_app'})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["__main__"]


def test_an_old_python_gets_one_line() -> None:
    for program in ("run.py", "tests/__main__.py"):
        source = (ROOT / program).read_text(encoding="utf-8")
        code = f"import sys; sys.version_info = (3, 10, 2)\nexec(compile({source!r}, {program!r}, 'exec'))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == "roomlog: Python 3.11 or newer is needed; this is Python 3.10\n"
