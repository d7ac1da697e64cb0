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
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        _apt_get(lacking)
        lacking = missing()
    if lacking and strict():
        bootstrap.fail(f"the tests need {' '.join(lacking)}, which cannot be installed here")
    if lacking:
        print(f"Some tests need more: sudo apt-get install -y {' '.join(lacking)}", flush=True)


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


def _apt_get(packages: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _files(WHILE_INSTALLING):
        for action in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", *action], env=environment, stdout=subprocess.DEVNULL, check=False)
    services = [package for package in packages if package in SERVICES]
    if services and BOOTED.is_dir():
        subprocess.run(["systemctl", "disable", "--quiet", *services], check=False)


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
