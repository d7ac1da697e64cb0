"""Real services for tests, each on a free port of loopback with a folder of its own: PostgreSQL and Redis.

`missing_postgresql()` and `missing_redis()` say in one line how to install what is not there; under `CI=true`
that is a failure (`need`).
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.packages import postgresql_programs, strict
from tests.ports import free_port


def need(missing: str | None) -> None:
    """Skips with the line that installs it, fails under CI."""
    if missing is None:
        return
    if strict():
        pytest.fail(missing)
    pytest.skip(missing)


def missing_postgresql() -> str | None:
    return None if postgresql_programs() else "PostgreSQL is missing: sudo apt-get install -y postgresql"


def missing_redis() -> str | None:
    return None if shutil.which("redis-server") else "Redis is missing: sudo apt-get install -y redis-server"


class PostgreSQL:
    """A PostgreSQL server. It refuses to run as root, so as root it runs as `postgres`, in a folder that this
    user can reach: pytest's own are closed to others. `options` are settings of it besides those of `start`.
    """

    def __init__(self, **options: str) -> None:
        self._options = options
        programs = postgresql_programs()
        assert programs is not None
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="roomlog-postgresql-"))
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self._as = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
            self._folder.chmod(0o711)
            os.chown(self._data, user.pw_uid, user.pw_gid)
        else:
            self._as = ()
        self._run("initdb", "-D", str(self._data), "-U", "roomlog", "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync", "--no-instructions")  # fmt: skip
        self.start()

    @property
    def pid(self) -> int:
        """Of the process whose children are all others."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://roomlog@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = "") -> str:
        """The URL of a new empty database, or of a copy of `template`, to which nobody may be connected."""
        name = f"test_{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name}{' TEMPLATE ' + template if template else ''}")
        return self.url_of(name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for it, unaligned."""
        return self._run("psql", "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", str(self.port), "-U", "roomlog",
                         "-d", database, "-c", statement).strip()  # fmt: skip

    def start(self) -> None:
        """Returns once it takes connections."""
        options = {"fsync": "off", "max_connections": "200", "listen_addresses": "127.0.0.1",
                   "unix_socket_directories": "", "shared_buffers": "64MB",
                   **self._options}  # fmt: skip
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "postgresql.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, self._programs / "postgres", "-D", self._data, "-p", str(self.port), *flags],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/",
            )  # fmt: skip
        while subprocess.run(
            [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"],
            check=False,
        ).returncode:
            assert self._process.poll() is None, (self._folder / "postgresql.log").read_text()

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT: fast shutdown, ends every connection; SIGQUIT: at once, as a crash."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        """Stops and leaves nothing."""
        self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [*self._as, self._programs / program, *arguments],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
        assert not done.returncode, done.stderr or done.stdout
        return done.stdout


class Redis:
    """A Redis server without anything on disk, as it may be lost."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns once it answers; what it held is gone."""
        with (self._folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                 "--dir", str(self._folder), *self._options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                assert self.process.poll() is None, (self._folder / "redis.log").read_text()

    def stop(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def pause(self) -> None:
        """It keeps every connection and answers nobody."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
