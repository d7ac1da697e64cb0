"""Real processes for tests: a server that was started the way a person starts it, and commands beside it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
MODULE = (sys.executable, "-m", "chat_app")
START_SECONDS = 120  # after that a server that says nothing is killed, and the test that waits for it fails


_MADE = (
    ".git", ".venv*", "data", "build", "dist", "*.egg-info", "node_modules", "__pycache__", ".*_cache", ".cache",
    ".hypothesis", ".coverage*",
)  # fmt: skip


def copy_tree(to: Path) -> Path:
    """A copy of the project as a clone has it, without what was made since."""
    return Path(shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*_MADE)))


def environment(**changes: str) -> dict[str, str]:
    """This environment without any setting of the chat."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CHAT_")
        and name not in ("PORT", "ALLOWED_ORIGINS", "DATABASE_URL", "REDIS_URL")
    }
    return {**kept, **changes}


def command(
    *arguments: str, program: Sequence[str] = MODULE, typed: str = "", cwd: Path = ROOT, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end; `typed` is its standard input."""
    return subprocess.run(
        [*program, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**changes),
        timeout=400,  # a first installation on a busy machine
        check=False,
    )


def children_of(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Server:
    """`with Server(data) as server:` - a server on a free port; `port` and `setup_url` as it printed them."""

    def __init__(
        self,
        data: Path,
        *flags: str,
        program: Sequence[str] = MODULE,
        cwd: Path = ROOT,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._log = data.parent / f"{data.name}.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, "serve", "--port", "0", "--data", str(data), *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=cwd,
                env=environment(**(variables or {})),
            )
        self.printed: list[str] = []
        self.port = 0
        self.setup_url: str | None = None

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        try:
            while not self.port:
                line = self.process.stdout.readline()
                if not line:
                    self.process.wait()
                    raise AssertionError(f"the server did not start: {self.log}")
                self.printed.append(line.rstrip("\n"))
                if "/setup?token=" in line:
                    self.setup_url = line.strip()
                if found := re.fullmatch(r"Roomlog serves on http://\S+:(\d+)\n", line):
                    self.port = int(found[1])
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        finally:
            watchdog.cancel()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the server and returns its exit code."""
        self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()
        return code
