"""The command line: what it accepts, what it tells, and that it never shows a traceback."""

import errno
import io
import re
import sqlite3
import sys
from pathlib import Path

import pytest

from chat_app import __version__, cli, commands
from chat_app.settings import SETTINGS, Settings, load
from tests.processes import command


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Settings `serve` was started with; it serves nothing."""
    started: list[Settings] = []

    def serve(arguments: object, settings: Settings) -> int:
        started.append(settings)
        return 0

    monkeypatch.setattr(commands, "serve", serve)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    return started


@pytest.mark.parametrize(
    "argv", [["--port", "81"], ["serve", "--port", "81"], ["--port", "81", "serve"], ["--port=81"]]
)
def test_flags_stand_before_or_after_the_command(seen: list[Settings], argv: list[str]) -> None:
    assert cli.main(argv) == 0
    assert seen[0].port == 81


def test_no_command_serves_with_the_environment(
    seen: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_RATE_LIMIT", "7")
    assert cli.main([]) == 0
    assert seen[0].rate_limit == 7


def test_every_setting_has_the_flag_of_the_table(seen: list[Settings]) -> None:
    values = {"--allowed-origins": "https://a", "--address": "::1", "--trusted-proxies": "::1", "--data": "x"}
    values |= {"--database": "sqlite:///x.db", "--registration": "open", "--port": "1"}
    values |= {"--edit-history": "on", "--redis": "redis://h", "--loop": "uvloop"}
    for setting in SETTINGS:
        if setting.flag:
            text = values.get(setting.flag, "3")
            assert cli.main([setting.flag, text]) == 0
            assert getattr(seen.pop(), setting.name) == setting.parse(text)


def test_help_lists_every_command_flag_variable_and_default() -> None:
    done = command("--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for usage, meaning in cli.COMMANDS:
        assert usage in text
        assert meaning in text
    for setting in SETTINGS:
        assert setting.variable in text
        assert setting.meaning in text
        assert not setting.flag or f"{setting.flag} {setting.metavar}" in text
        assert f"default: {setting.default_text() or 'none'}]" in text


def test_help_of_each_command_is_there_and_touches_nothing(tmp_path: Path) -> None:
    for words in (
        ["serve"],
        ["user"],
        ["user", "add"],
        ["user", "link"],
        ["backup"],
        ["restore"],
        ["copy"],
        ["smoke"],
    ):
        done = command(
            *words, "--help", program=[sys.executable, "-m", "chat_app"], CHAT_DATA=str(tmp_path / "data")
        )
        assert done.returncode == 0
        assert "usage: roomlog" in done.stdout
    assert not (tmp_path / "data").exists()


def test_version_is_that_of_the_package() -> None:
    assert command("--version").stdout == f"roomlog {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--prot", "80"], "There is no flag --prot; did you mean --port?"),
        (["--zzz"], "There is no flag --zzz; --help lists"),
        (["--port"], "argument --port: expected one argument"),
        (["--port", "-1"], "PORT (--port): '-1' is not a whole number from 0 to 65535."),
        (["--port", "eighty"], "PORT (--port): 'eighty' is not"),
        (["--allowed-origins", "*"], "ALLOWED_ORIGINS (--allowed-origins): '*' is not an origin"),
        (["--allowed-origins", "https://a/chat"], "is more than an origin"),
        (["--trusted-proxies", "300.0.0.1"], "CHAT_TRUSTED_PROXIES (--trusted-proxies): '300.0.0.1' is not"),
        (["--registration", "all"], "CHAT_REGISTRATION (--registration): 'all' is none of"),
        (["--database", "postgresql://u@h"], "DATABASE_URL (--database): a database is needed, such as"),
        (["--redis", "http://h"], "REDIS_URL (--redis): Redis's URL begins with redis://"),
        (["--cookie-secret", "x" * 40], "There is no flag --cookie-secret"),
        (["dance"], "invalid choice: 'dance'"),
        (["user"], "required: ACTION"),
        (["user", "add", "ada"], "required: --role"),
        (["user", "role", "ada", "king"], "invalid choice: 'king'"),
        (["smoke", "--timeout", "0", "--url", "http://a", "--name", "b"], "number of seconds above 0"),
        (
            ["smoke", "--timeout", "soon", "--url", "http://a", "--name", "b"],
            "'soon' is not a number of seconds",
        ),
        (["backup"], "required: FILE"),
        (["copy", "--to", "sqlite:///x.db"], "required: --from"),
        (
            ["copy", "--from", "mysql://h/d", "--to", "sqlite:///x.db"],
            "begins with sqlite:/// or postgresql://",
        ),
        (["copy", "--from", "sqlite:///x.db", "--to", "sqlite:///x.db"], "name the same database"),
        (["copy", "--from", "sqlite:///none/x.db", "--to", "sqlite:///none/y.db"], "There is no database"),
        (["user", "add", "ada", "--role", "owner"], "There is no password on standard input."),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(tmp_path: Path, argv: list[str], told: str) -> None:
    done = command(*argv, CHAT_DATA=str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("roomlog: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_wrong_variable_is_one_line_too() -> None:
    done = command(PORT="http")
    assert (done.returncode, done.stderr) == (
        2,
        "roomlog: PORT (--port): 'http' is not a whole number from 0 to 65535.\n",
    )


def test_a_short_secret_is_refused_without_being_shown() -> None:
    done = command(CHAT_COOKIE_SECRET="hunter2")
    assert done.returncode == 2
    assert done.stderr.startswith("roomlog: CHAT_COOKIE_SECRET: a secret is shorter than 32 bytes")
    assert "hunter2" not in done.stderr


class WrappedError(Exception):
    """As SQLAlchemy's: many lines of its own around what the database said."""

    orig = sqlite3.DatabaseError("file is not a database")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "Port 81 of 127.0.0.1 is in use"),
        (PermissionError(errno.EACCES, "Permission denied"), "Port 81 may not be used by this user"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "127.0.0.1 is not an address of this machine"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/chat.db"), "/x/chat.db: Permission denied."),
        (WrappedError("(a)\n(b)"), "cannot be used: file is not a database."),
        (ExceptionGroup("several", [OSError(errno.EIO, "I/O error", "f")]), "f: I/O error."),
        (KeyError("k"), "This is a mistake in the program: KeyError: 'k' (cli.py, line "),
        (ConnectionResetError("the server ended before it answered"), "the server ended before it answered."),
    ],
)
def test_whatever_goes_wrong_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, told: str
) -> None:
    def fail(arguments: object, settings: Settings) -> int:
        raise error

    monkeypatch.setattr(commands, "serve", fail)
    assert cli.main(["--port", "81"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert told in output.err
    assert output.err.count("\n") == 1


def test_interrupted_command_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: object, settings: Settings) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "serve", interrupted)
    assert cli.main([]) == 130
    assert capsys.readouterr().err == ""


class Administered:
    """Stands for what does the work; remembers what it was asked."""

    def __init__(self, result: object = None) -> None:
        self.result = result
        self.asked: list[tuple[str, dict[str, object]]] = []

    def __call__(self, settings: Settings, name: str, arguments: dict[str, object]) -> object:
        self.asked.append((name, arguments))
        return self.result


def type_line(monkeypatch: pytest.MonkeyPatch, typed: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        (["user", "password", "ada"], ("user.password", {"name": "ada", "password": "a pass wörd "})),
        (["user", "role", "ada", "admin"], ("user.role", {"name": "ada", "role": "admin"})),
        (["user", "disable", "ada"], ("user.disable", {"name": "ada"})),
        (["user", "enable", "ada"], ("user.enable", {"name": "ada"})),
        (["user", "link", "ada"], ("user.link", {"name": "ada"})),
        (["user", "disable", "--", "--zzz"], ("user.disable", {"name": "--zzz"})),
        (
            ["user", "add", "ada", "--role", "owner", "--password-stdin"],
            ("user.add", {"name": "ada", "role": "owner", "password": "a pass wörd "}),
        ),
    ],
)
def test_each_command_asks_for_what_it_says(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], asked: tuple[str, dict[str, object]]
) -> None:
    administered = Administered()
    monkeypatch.setattr(commands, "_administer", administered)
    type_line(monkeypatch, "a pass wörd \r\nsecond line\n".encode())
    assert cli.main(argv) == 0
    assert administered.asked == [asked]


def test_accounts_are_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"id": "1", "name": "Ada", "role": "owner", "disabled": False, "created_at": "2026-01-02T03:04:05Z"},
        {"id": "2", "name": "a longer name", "role": "member", "disabled": True, "created_at": "2026-01-03T"},
    ]
    monkeypatch.setattr(commands, "_administer", Administered(rows))
    assert cli.main(["user", "list"]) == 0
    assert capsys.readouterr().out == (
        "NAME           ROLE    STATE     CREATED\n"
        "Ada            owner   enabled   2026-01-02\n"
        "a longer name  member  disabled  2026-01-03\n"
    )


@pytest.mark.parametrize(
    ("typed", "told"), [(b"", "no password"), (b"\n", "no password"), (b"\xff\n", "not UTF-8")]
)
def test_useless_password_line_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: bytes, told: str
) -> None:
    type_line(monkeypatch, typed)
    assert cli.main(["user", "password", "ada"]) == 2
    assert told in capsys.readouterr().err


def test_backup_never_writes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "old.db").write_text("precious")
    done = command("backup", str(tmp_path / "old.db"), "--data", str(tmp_path))
    assert done.returncode == 2
    assert re.search(r"old\.db exists already", done.stderr)
    assert (tmp_path / "old.db").read_text() == "precious"


def test_backup_into_no_folder_and_without_data_is_told(tmp_path: Path) -> None:
    assert "There is no folder" in command("backup", str(tmp_path / "no" / "b.db")).stderr
    done = command("backup", str(tmp_path / "b.db"), "--data", str(tmp_path / "none"))
    assert done.returncode == 2
    assert "There is no data folder" in done.stderr
    assert not (tmp_path / "none").exists()


def test_backup_path_does_not_depend_on_the_servers_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    administered = Administered()
    monkeypatch.setattr(commands, "_administer", administered)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["backup", "b.db"]) == 0
    assert administered.asked == [("backup", {"path": str(tmp_path / "b.db")})]


def test_default_settings_can_be_loaded_from_no_environment() -> None:
    assert load({}, {}) == load(vars(cli._parser().parse_args([])), {})
