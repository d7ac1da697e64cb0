"""The Debian packages that the tests need: `python -m tests` calls `install`.

They are for the tests alone: what they bring as a service is neither started nor made to start with the machine,
and PostgreSQL gets no database of its own; the tests start their own on free ports (`tests/services.py`).
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from chat_app import bootstrap

# By the program that shows it is there; PostgreSQL's are beside the PATH.
PACKAGES = {
    "chromium": "chromium",
    "redis-server": "redis-server",
    "nginx": "nginx",
    "haproxy": "haproxy",
    "caddy": "caddy",
    "systemd-analyze": "systemd",
}
# The same engine without its windows: the tests of pages take 5 minutes with it instead of 9. Not every
# Debian has it, so that it is tried for and nothing is said where it does not come.
QUICK_CHROMIUM = "chromium-headless-shell"
SERVICES = {"redis-server", "postgresql", "nginx", "haproxy", "caddy"}
BOOTED = Path("/run/systemd/system")  # there when systemd runs the machine

# What is in these files while packages are installed; one that is there already stays as it is.
WHILE_INSTALLING = {
    Path("/usr/sbin/policy-rc.d"): "#!/bin/sh\nexit 101\n",  # 101: nothing may be started
    Path("/etc/postgresql-common/createcluster.d/roomlog-tests.conf"): "create_main_cluster = false\n",
}


def install() -> None:
    """Installs what is missing when run as root, else tells how; in CI a missing one ends the run."""
    lacking = missing()
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quicker = not shutil.which(QUICK_CHROMIUM)
        with _files(WHILE_INSTALLING):
            if lacking or (quicker and strict()):
                _apt_get("update", "-qq")
            if lacking:
                _install(lacking)
                lacking = missing()
            if quicker:
                _install([QUICK_CHROMIUM])
    if lacking and strict():
        bootstrap.fail(f"the tests need {' '.join(lacking)}, which cannot be installed here")
    if lacking:
        print(f"Some tests need more: sudo apt-get install -y {' '.join(lacking)}", flush=True)


def chromium() -> str | None:
    """The browser for the tests of pages."""
    return shutil.which(QUICK_CHROMIUM) or shutil.which("chromium")


def missing() -> list[str]:
    lacking = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    return lacking if postgresql_programs() else [*lacking, "postgresql"]


def postgresql_programs() -> Path | None:
    """The folder of initdb, pg_ctl and postgres: Debian keeps it out of the PATH."""
    found = shutil.which("postgres")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    folders += [Path(found).resolve().parent] if found else []
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def strict() -> bool:
    """Whether a missing service is a failure: on the machine that decides."""
    return os.environ.get("CI", "").lower() in ("1", "true")


def _install(packages: list[str]) -> None:
    _apt_get("install", "-y", "-qq", "--no-install-recommends", *packages)
    services = [package for package in packages if package in SERVICES]
    if services and BOOTED.is_dir():
        subprocess.run(["systemctl", "disable", "--quiet", *services], check=False)


def _apt_get(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        ["apt-get", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if QUICK_CHROMIUM in arguments else None,
        check=False,
    )


@contextlib.contextmanager
def _files(texts: dict[Path, str]) -> Iterator[None]:
    made = [path for path in texts if not path.exists()]
    folders = [folder for path in made for folder in reversed(path.parents) if not folder.exists()]
    try:
        for path in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[path], encoding="utf-8")
            path.chmod(0o755)
        yield
    finally:
        for path in made:
            path.unlink(missing_ok=True)
        for folder in reversed(folders):
            with contextlib.suppress(OSError):  # packages have put something there
                folder.rmdir()
