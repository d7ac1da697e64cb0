"""The settings table: what is read from where, what is refused, and how."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from chat_app.settings import SETTINGS, Settings, SettingsError, as_environment, default_origins, load


def test_defaults_are_those_of_the_contract() -> None:
    settings = load({}, {})
    assert settings.port == 8080
    assert settings.address == "127.0.0.1"
    assert settings.data == Path("data")
    assert settings.allowed_origins == ("http://localhost:8080", "http://127.0.0.1:8080")
    assert not settings.allowed_origins_given
    assert settings.trusted_proxies == ()
    assert settings.database_url == "sqlite:///data/chat.db"
    assert (settings.redis_url, settings.metrics_token, settings.cookie_secret) == (None, None, ())
    assert settings.registration == "invite"
    assert (settings.history_limit, settings.max_message_length) == (50, 500)
    assert (settings.rate_limit, settings.rate_window_seconds) == (20, 10)
    assert (settings.account_rate_limit, settings.address_rate_limit) == (40, 400)
    assert (settings.frame_rate_limit, settings.account_connections) == (100, 20)
    assert (settings.address_connections, settings.failed_handshakes) == (500, 60)
    assert settings.heartbeat_seconds == 30
    assert settings.processes == 1


def test_flag_wins_over_variable_and_variable_over_default() -> None:
    assert load({"port": "1"}, {"PORT": "2"}).port == 1
    assert load({}, {"PORT": "2"}).port == 2
    assert load({"port": None}, {"PORT": ""}).port == 8080


def test_a_process_of_our_own_is_told_the_same_and_nothing_on_its_command_line() -> None:
    flags = {"port": "0", "redis_url": None, "history_limit": "7", "trusted_proxies": ""}
    environment = {"PORT": "1", "CHAT_RATE_LIMIT": "3", "CHAT_TRUSTED_PROXIES": "10.0.0.0/8", "HOME": "/x"}
    told = as_environment(flags, environment, port=4321, processes=1)
    assert told == {
        "PORT": "4321", "CHAT_RATE_LIMIT": "3", "CHAT_TRUSTED_PROXIES": "", "HOME": "/x", "CHAT_PROCESSES": "1",
        "CHAT_HISTORY_LIMIT": "7",
    }  # fmt: skip
    assert load({}, told) == load({**flags, "port": "4321", "processes": "1"}, environment)


def test_database_and_origins_follow_data_and_port() -> None:
    settings = load({"data": "/srv/a b"}, {"PORT": "80"})
    assert settings.database_url == "sqlite:////srv/a b/chat.db"
    assert settings.allowed_origins == ("http://localhost", "http://127.0.0.1")


def test_port_0_leaves_the_origins_to_the_port_that_is_bound() -> None:
    settings = load({"port": "0"}, {})
    assert settings.allowed_origins == ()
    assert not settings.allowed_origins_given
    assert default_origins(4321) == ("http://localhost:4321", "http://127.0.0.1:4321")


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("HTTPS://Chat.Example.ORG", ("https://chat.example.org",)),
        ("https://a:443,http://b:80", ("https://a", "http://b")),
        ("https://a:80", ("https://a:80",)),
        (" https://a , https://a ,", ("https://a",)),
        ("http://[0:0::1]:8080", ("http://[::1]:8080",)),
        ("http://192.0.2.1:8080", ("http://192.0.2.1:8080",)),
        ("https://xn--mnchen-3ya.example", ("https://xn--mnchen-3ya.example",)),
    ],
)
def test_origins_are_kept_as_browsers_send_them(text: str, origins: tuple[str, ...]) -> None:
    settings = load({}, {"ALLOWED_ORIGINS": text})
    assert settings.allowed_origins == origins
    assert settings.allowed_origins_given


@pytest.mark.parametrize(
    "text",
    [
        "*", "null", "chat.example.org", "//a", "ftp://a", "https://", "https://a/", "https://a/chat",
        "https://a?b", "https://a#b", "https://u@a", "https://u:p@a", "https://a:", "https://a:0",
        "https://a:99999", "https://a:8o", "http://[::1", "http://[1.2.3.4]", "http://127.1", "https://a b",
        "https://*.example.org", "https://münchen.example", "https://a..b", ", ,", "https://a,http://b/c",
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^ALLOWED_ORIGINS \(--allowed-origins\): .+\.$"):
        load({}, {"ALLOWED_ORIGINS": text})


def test_trusted_proxies_are_addresses_and_networks() -> None:
    settings = load({}, {"CHAT_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,::1"})
    assert settings.trusted_proxies == tuple(map(ip_network, ("127.0.0.1/32", "10.0.0.0/8", "::1/128")))


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("PORT", "eighty", "not a whole number from 0 to 65535"),
        ("PORT", "65536", "not a whole number from 0 to 65535"),
        ("PORT", "-1", "not a whole number"),
        ("PORT", "٣", "not a whole number"),
        ("CHAT_ADDRESS", "not an address", "is not an address"),
        ("CHAT_ADDRESS", "1.2.3", "is not an address"),
        ("CHAT_DATA", "\0", "no folder"),
        ("CHAT_TRUSTED_PROXIES", "10.0.0.1/8", "not an address or a network"),
        ("CHAT_TRUSTED_PROXIES", "proxy.local", "not an address or a network"),
        ("DATABASE_URL", "postgresql://u:hunter2@h", "a database is needed"),
        ("DATABASE_URL", "postgresql://u:hunter2/3@h/db", "a database is needed"),
        ("DATABASE_URL", "postgres://u:hunter2@h:port/db", "a database is needed"),
        ("DATABASE_URL", "mysql://u:hunter2@h/db", "begins with sqlite:///"),
        ("DATABASE_URL", "chat.db", "begins with sqlite:///"),
        ("DATABASE_URL", "sqlite://", "a file is needed"),
        ("DATABASE_URL", "sqlite:///:memory:", "a file is needed"),
        ("DATABASE_URL", "sqlite:///a.db?mode=ro", "a file is needed"),
        ("REDIS_URL", "http://:hunter2@h", "begins with redis://, rediss:// or unix://"),
        ("REDIS_URL", "hunter2", "begins with redis://, rediss:// or unix://"),
        ("REDIS_URL", "redis://", "a server is needed"),
        ("REDIS_URL", "redis://:hunter2@h:hunter2", "a server is needed"),
        ("REDIS_URL", "redis://:hunter2/@h", "a server is needed"),
        ("REDIS_URL", "redis://:hunter2@h/name", "a server is needed"),
        ("REDIS_URL", "unix://:hunter2@", "a server is needed"),
        ("CHAT_PROCESSES", "0", "not a whole number from 1 to 64"),
        ("CHAT_PROCESSES", "65", "not a whole number from 1 to 64"),
        ("CHAT_PROCESSES", "several", "not a whole number from 1 to 64"),
        ("CHAT_COOKIE_SECRET", "hunter2", "shorter than 32 bytes"),
        ("CHAT_COOKIE_SECRET", "x" * 32 + ",hunter2", "shorter than 32 bytes"),
        ("CHAT_METRICS_TOKEN", "hunter2 and more", "visible ASCII"),
        ("CHAT_REGISTRATION", "everybody", "none of open, invite and closed"),
        ("CHAT_HISTORY_LIMIT", "1001", "from 0 to 1000"),
        ("CHAT_MAX_MESSAGE_LENGTH", "16385", "from 0 to 16384"),
        ("CHAT_RATE_LIMIT", "1.5", "not a whole number"),
        ("CHAT_RATE_WINDOW_SECONDS", "nan", "not a number of seconds"),
        ("CHAT_HEARTBEAT_SECONDS", "inf", "not a number of seconds"),
        ("CHAT_HEARTBEAT_SECONDS", "-1", "not a number of seconds"),
        ("CHAT_HEARTBEAT_SECONDS", "soon", "not a number of seconds"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_setting(variable: str, text: str, reason: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.variable == variable)
    with pytest.raises(SettingsError) as caught:
        load({setting.name: text}, {})
    sentence = str(caught.value)
    assert sentence.startswith(f"{setting.title}: ")
    assert reason in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "hunter2" not in sentence, "a secret must not be shown"


def test_every_limit_can_be_switched_off() -> None:
    off = {setting.variable: "0" for setting in SETTINGS if setting.metavar in ("N", "SECONDS")}
    settings = load({}, off)
    switched = {
        setting.variable
        for setting in SETTINGS
        if getattr(settings, setting.name) in (0, 0.0) and setting.metavar != "off|on"
    }
    assert switched == off.keys()


def test_cookie_secrets_are_newest_first() -> None:
    settings = load({}, {"CHAT_COOKIE_SECRET": "n" * 32 + " , " + "o" * 40})
    assert settings.cookie_secret == (b"n" * 32, b"o" * 40)


def test_representation_hides_secrets() -> None:
    settings = load({}, {"CHAT_COOKIE_SECRET": "n" * 32, "CHAT_METRICS_TOKEN": "hunter2"})
    assert "nnnn" not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_table_and_settings_name_the_same_things() -> None:
    fields = {field for field in Settings.__slots__ if field != "allowed_origins_given"}
    assert fields == {setting.name for setting in SETTINGS}


def test_secrets_have_no_flag() -> None:
    assert {setting.variable for setting in SETTINGS if setting.flag is None} == {
        "CHAT_COOKIE_SECRET",
        "CHAT_METRICS_TOKEN",
    }
