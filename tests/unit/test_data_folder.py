"""The data folder on a real disk: modes, the cookie secret, the lock."""

import dataclasses
import multiprocessing
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chat_app.data_folder import DataLock, DataLocked, ensure_data
from chat_app.settings import Settings, SettingsError, load


def settings_in(folder: Path, **environment: str) -> Settings:
    return load({"data": str(folder)}, environment)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_start_makes_a_private_folder_and_secret(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "data"
    (secret,) = ensure_data(settings_in(folder)).cookie_secret
    assert mode(folder) == 0o700
    assert mode(folder / "cookie_secret") == 0o600
    assert re.fullmatch(rb"[0-9a-f]{64}", secret)


def test_further_starts_read_the_same_secret_and_others_make_another(tmp_path: Path) -> None:
    first = ensure_data(settings_in(tmp_path / "one")).cookie_secret
    assert ensure_data(settings_in(tmp_path / "one")).cookie_secret == first
    assert ensure_data(settings_in(tmp_path / "two")).cookie_secret != first


def test_secret_of_the_environment_leaves_no_file(tmp_path: Path) -> None:
    settings = ensure_data(settings_in(tmp_path, CHAT_COOKIE_SECRET="x" * 32))
    assert settings.cookie_secret == (b"x" * 32,)
    assert not (tmp_path / "cookie_secret").exists()


def test_secret_file_may_hold_an_older_key(tmp_path: Path) -> None:
    (tmp_path / "cookie_secret").write_text("n" * 32 + ",\n" + "o" * 32 + "\n")
    (tmp_path / "cookie_secret").chmod(0o600)
    assert ensure_data(settings_in(tmp_path)).cookie_secret == (b"n" * 32, b"o" * 32)


@pytest.mark.parametrize("wide", [0o640, 0o604, 0o620, 0o644])
def test_secret_that_others_can_read_or_write_is_refused(tmp_path: Path, wide: int) -> None:
    ensure_data(settings_in(tmp_path))
    (tmp_path / "cookie_secret").chmod(wide)
    with pytest.raises(SettingsError, match="chmod 600"):
        ensure_data(settings_in(tmp_path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "shorter than 32"), (b"short\n", "shorter than 32"), (b"\xff" * 64, "not text")],
)
def test_useless_secret_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "cookie_secret").write_bytes(content)
    (tmp_path / "cookie_secret").chmod(0o600)
    with pytest.raises(SettingsError, match=reason):
        ensure_data(settings_in(tmp_path))


def test_secret_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cookie_secret").mkdir()
    with pytest.raises(SettingsError, match="cookie_secret"):
        ensure_data(settings_in(tmp_path))


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        ensure_data(settings_in(tmp_path / "file" / "data"))


def test_preparing_changes_nothing_but_the_secret(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    prepared = ensure_data(settings)
    assert dataclasses.replace(prepared, cookie_secret=()) == settings


def test_only_one_process_holds_the_lock(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from chat_app.data_folder import DataLock\n"
        "with DataLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(DataLocked, match=f"in use by process {holder.pid}"):
            DataLock(tmp_path).acquire()
        holder.kill()
        holder.wait()
    with DataLock(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
        assert mode(tmp_path / "lock") == 0o600


def test_lock_can_be_taken_again_after_it_was_let_go(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    with lock, pytest.raises(DataLocked):
        DataLock(tmp_path).acquire()
    with lock:
        pass


def test_lock_without_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be used"):
        DataLock(tmp_path / "none").acquire()


def test_lock_is_not_inherited_by_a_child(tmp_path: Path) -> None:
    with DataLock(tmp_path):
        child = multiprocessing.get_context("spawn").Process(target=os.getpid)
        child.start()
        child.join()
    with DataLock(tmp_path):
        pass
