"""The data folder: who may read it, the cookie secret in it, and the lock that makes one process its owner.

`cli` prepares it before anything is opened. Nothing here reads settings from elsewhere or prints.
"""

import dataclasses
import fcntl
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from chat_app.settings import SECRET_BYTES, Settings, SettingsError, parse_secrets

SECRET_FILE = "cookie_secret"  # nosec B105 # a file name
LOCK_FILE = "lock"
SOCKET_FILE = "control.sock"
_SECRET_FILE_LIMIT = 4096  # bytes read at most; a few keys


class DataLocked(SettingsError):
    """Another process holds the data folder."""


def ensure_data(settings: Settings) -> Settings:
    """Makes the data folder (mode 0700) and the cookie secret (0600) where missing; returns the keys too.

    Raises SettingsError when the folder cannot be made or the secret must not be used.
    """
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.cookie_secret:
            return settings
        return dataclasses.replace(settings, cookie_secret=_cookie_secret(settings.data / SECRET_FILE))
    except OSError as error:
        place = error.filename or settings.data
        raise SettingsError(f"The data folder cannot be used: {place}: {error.strerror}.") from error


class DataLock:
    """Held by the one process that has the database open for writing: `with DataLock(folder): …`.

    An flock: it goes with the process, however that ends. Raises DataLocked at once when another holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_FILE
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"The data folder cannot be used: {self._path}: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            process = f"process {holder}" if holder.isdigit() else "another process"
            raise DataLocked(f"The data folder {self._path.parent} is in use by {process}.") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Lets go; the file stays, since removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _cookie_secret(path: Path) -> tuple[bytes, ...]:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(SECRET_BYTES) + "\n")
        file.flush()
        os.fsync(descriptor)
    return _read_secret(path)


def _read_secret(path: Path) -> tuple[bytes, ...]:
    with open(path, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise SettingsError(f"The cookie secret {path} is not a file.")
        if state.st_mode & 0o077:
            raise SettingsError(f"The cookie secret {path} can be read by others; run `chmod 600 {path}`.")
        content = file.read(_SECRET_FILE_LIMIT)
    try:
        return parse_secrets(content.decode())
    except UnicodeDecodeError:
        raise SettingsError(
            f"The cookie secret {path} is not text; `openssl rand -hex 32` makes a good one."
        ) from None
    except ValueError as error:
        raise SettingsError(f"The cookie secret {path} cannot be used: {error}.") from None
