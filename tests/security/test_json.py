"""Events that are none: each has its answer, and the connection goes on."""

import json

import pytest
from hypothesis import given, strategies as st

from chat_app import protocol
from chat_app.core.markdown import render
from chat_app.errors import ChatError
from tests.conftest import PASSWORD, Site
from tests.security.fuzz import targets
from tests.web.raw import RawSocket, client_frame

NO_LIMITS = pytest.mark.settings(
    rate_limit="0", account_rate_limit="0", address_rate_limit="0", frame_rate_limit="0"
)
BAD: list[tuple[str, set[str | None]]] = [
    ('{"type":"message","text":"x","junk":' + "[" * 8_000 + "]" * 8_000 + "}", {"bad_json", None}),
    ('{"type":"message","text":' + "[" * 8_000 + "]" * 8_000 + "}", {"bad_json", "bad_request"}),
    ('{"type":"message","text":"x","room":' + '{"a":' * 2_000 + "1" + "}" * 2_000 + "}", {"bad_json", "bad_request"}),
    ('{"a":' * 2_000 + "1" + "}" * 2_000, {"bad_json", "bad_type"}),
    ("[" * 8_000 + "]" * 8_000, {"bad_json"}),
    ('{"type":"read","seq":' + "1" * 4_301 + "}", {"bad_json", "bad_request"}),
    ('{"type":"read","seq":-' + "1" * 4_301 + "}", {"bad_json", "bad_request"}),
    ('{"type":"message","text":"x","junk":' + "1" * 4_301 + "}", {"bad_json", None}),
    ('{"type":' + "1" * 4_301 + "}", {"bad_json", "bad_type"}),
    ("1" * 4_301, {"bad_json"}),
    ('{"type":"read","seq":1e999}', {"bad_json", "bad_request"}),
    ('{"type":"read","seq":Infinity}', {"bad_json"}),
    ('{"type":"read","seq":-Infinity}', {"bad_json"}),
    ('{"type":"message","text":NaN}', {"bad_json"}),
    ('{"type":"message","text":"x","junk":NaN}', {"bad_json"}),
    ('{"type":"read","seq":1.5}', {"bad_request"}),
    ('{"type":"read","seq":"1"}', {"bad_request"}),
    ('{"type":"read","seq":true}', {"bad_request"}),
    ('{"type":"read","seq":null}', {"bad_request"}),
    ('{"type":"read","seq":9223372036854775808}', {"bad_json", "bad_request"}),
    ('{"type":"message","text":"\\ud800"}', {"bad_json", "bad_request"}),
    ('{"type":"message","text":"\\udc00\\ud800"}', {"bad_json", "bad_request"}),
    ('{"type":"message","text":"x","nonce":"\\ud800"}', {"bad_json", "bad_request"}),
    ('{"type":"message","text":"x","room":"\\ud800"}', {"bad_json", "bad_request"}),
    ('{"type":"\\ud800"}', {"bad_json", "bad_type"}),
    ('"\\ud800"', {"bad_json"}),
    ('[{"type":"message","text":"x"}]', {"bad_json"}),
    ('{"type":"message","text":["x"]}', {"bad_request"}),
    ('{"type":"message","text":{"a":1}}', {"bad_request"}),
    ('{"type":"message","text":null}', {"bad_request"}),
    ('{"type":"message","text":true}', {"bad_request"}),
    ('{"type":"message","text":"x","room":1}', {"bad_request"}),
    ('{"type":"message","text":"x","room":["lobby"]}', {"bad_request"}),
    ('{"type":"message","text":"x","nonce":1}', {"bad_request"}),
    ('{"type":"message","text":"x","nonce":"' + "n" * 65 + '"}', {"bad_request"}),
    ('{"type":"join"}', {"bad_request"}), ('{"type":"leave"}', {"bad_request"}), ('{"type":"read"}', {"bad_request"}),
    ('{"type":"join","room":null}', {"bad_request"}),
    ('{"type":"join","room":"' + "a" * 33 + '"}', {"bad_request"}),
    ('{"type":"join","room":"lobby","since":"1","epoch":"x"}', {"bad_request"}),
    ('{"type":"join","room":"lobby","since":-1,"epoch":"x"}', {"bad_request"}),
    ('{"type":"join","room":"lobby","epoch":"x"}', {"bad_request"}),
    ('{"type":"join","room":"lobby","since":1,"epoch":"a b"}', {"bad_request"}),
    ('{"type":"edit","text":"x"}', {"bad_request"}), ('{"type":"edit","id":"x"}', {"bad_request"}),
    ('{"type":"edit","id":1,"text":"x"}', {"bad_request"}), ('{"type":"delete"}', {"bad_request"}),
    ('{"type":"delete","id":""}', {"bad_request", "not_found"}),
    ('{"type":"delete","id":"\' OR 1=1 --"}', {"bad_request", "not_found"}),
    ('{"type":"MESSAGE","text":"x"}', {"bad_type"}), ('{"type":"ack"}', {"bad_type"}), ('{"type":""}', {"bad_type"}),
    ('{"type":null}', {"bad_type"}), ('{"type":1}', {"bad_type"}), ('{"type":{}}', {"bad_type"}), ('{"text":"x"}', {"bad_type"}),
    ("", {"bad_json"}), (" ", {"bad_json"}), ("\x00", {"bad_json"}), ("true", {"bad_json"}), ("1", {"bad_json"}),
    ("hello", {"bad_json"}), ("{", {"bad_json"}), ('{"type":"message","text":"x"}}', {"bad_json"}),
    ('{"type":"message","text":"x"} {}', {"bad_json"}), ("{'type':'message'}", {"bad_json"}),
    ('{"type":"message","text":"a\nb"}', {"bad_json"}), ('\ufeff{"type":"message","text":"x"}', {"bad_json"}),
]  # fmt: skip


@NO_LIMITS
@pytest.mark.gen_test(timeout=180)
async def test_a_bad_event_has_its_code_and_the_connection_goes_on(site: Site) -> None:
    socket = await RawSocket.open(site, await site.account("Masa"))
    await socket.until("presence")
    for number, (raw, codes) in enumerate(BAD):
        socket.write(client_frame(raw.encode()))
        socket.send(type="message", text="after", nonce=str(number))
        found = None
        while (event := json.loads((await socket.frame())[1]))["type"] != "ack":
            if event["type"] == "error":
                found = event["code"]
                assert event["message"] and "retryAfter" not in event
        assert found in codes, raw[:60]
    assert site.app.services.metrics.registry.get_sample_value("chat_errors_total") == 0
    await socket.leave()


CONTROLS = [c for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\n\t"]


@pytest.mark.gen_test
async def test_control_characters_but_newline_and_tab_are_refused(site: Site) -> None:
    socket = await RawSocket.open(site, await site.account("Masa"))
    for number, control in enumerate(CONTROLS):
        socket.send(type="message", text=f"a{chr(control)}b")
        assert (await socket.until("error"))["code"] in ("bad_request", "bad_json"), control
        if number % 5 == 4:
            socket.send(type="read", seq=0)
    socket.send(type="message", text="\n\ta\r\n\tb\n\n", nonce="n")
    assert (await socket.until("message"))["message"]["text"] == "a\n\tb"
    await socket.leave()


# -- properties --------------------


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_whatever_a_client_sends_only_the_documented_errors_come_out(raw: str) -> None:
    try:
        protocol.check(protocol.decode(raw))
    except ChatError as error:
        assert error.code in {"bad_json", "bad_type", "bad_request"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["message", "edit", "delete", "join", "leave", "typing", "read", "other"]),
    st.dictionaries(st.sampled_from(["text", "room", "nonce", "id", "since", "epoch", "seq", "from"]), _JSON),
)
def test_fields_of_any_kind_are_taken_or_refused(kind: str, fields: dict) -> None:
    try:
        protocol.check(protocol.decode(json.dumps({"type": kind, **fields})))
    except ChatError as error:
        assert error.code in {"bad_json", "bad_type", "bad_request"}


@given(st.binary(max_size=400))
def test_no_bytes_make_anything_but_a_documented_error(data: bytes) -> None:
    targets.decode(data)


_MARKDOWN = st.lists(
    st.sampled_from(
        ["*", "**", "_", "`", "```", "\n", "\n\n", "> ", "- ", "1. ", "[", "](", ")", "<", ">", "&lt;", "&#x3c;", "\\", "!", "|",
         "http://", "https://a.b/", "javascript:", "JaVaScRiPt&colon;", "data:text/html,", "mailto:a@b.c", "<img src=x onerror=x>",
         "<script>", "</script>", "<svg/onload=x>", '"', "'", " onmouseover=x ", "\u202e", "\u2028", "\x00", "a", "😀", "e\u0301"]
    )
    | st.text(max_size=6),
    max_size=25,
).map("".join)  # fmt: skip


@given(_MARKDOWN)
def test_whatever_is_written_the_html_has_the_closed_set_of_elements(text: str) -> None:
    targets.check_html(text)


@given(st.text(max_size=40))
def test_names_and_titles_are_clean_or_refused(raw: str) -> None:
    targets.check_names(raw)


@given(st.sampled_from(targets.corpus()), st.integers(0, 5_000), st.binary(max_size=4))
def test_the_corpus_mutated_makes_nothing_else(seed: tuple[str, bytes], place: int, more: bytes) -> None:
    cut = place % (len(seed[1]) + 1)
    targets.everything(seed[1][:cut] + more + seed[1][cut:])


def test_only_whole_addresses_are_links() -> None:
    for target in (
        "/logout",
        "logout",
        "//evil.example",
        "?x",
        "#x",
        "%00javascript:alert(1)",
        "ftp://a.b/",
        "https:/x",
        "x:y",
    ):
        for text in (f"[a]({target})", f"<{target}>", f"[a]: {target}\n\n[a]"):
            assert "<a" not in (render(text) or ""), text
    for text in ("[x]()", "[x]( )", "[x](<>)", '[x]("y")', "a [x]() b [y](https://a.b)"):
        assert (render(text) or "").count("<a") == text.count("https"), text
    for target in ("https://a.b/", "HTTP://a.b", "mailto:a@b.c"):
        assert "<a" in (render(f"[a]({target})") or ""), target


@pytest.mark.parametrize(("name", "content"), targets.corpus(), ids=[name for name, _ in targets.corpus()])
def test_the_corpus_of_the_fuzzer_replayed(name: str, content: bytes) -> None:
    targets.everything(content)


# -- what is sent and not meant --------------------


@pytest.mark.gen_test
async def test_what_only_the_server_says_is_ignored_in_an_event(site: Site) -> None:
    kim = await site.join(await site.account("Kim"))
    masa = await site.join(await site.account("Masa"))
    masa.send(
        type="message", text="hello", nonce="n", **{"from": "Kim"}, userId="x", role="owner", sentAt="1999-01-01T00:00:00Z",
        seq=99, html="<b>x</b>", id="mine",
    )  # fmt: skip
    message = (await kim.until("message"))["message"]
    assert (message["from"], message["seq"], message["text"]) == ("Masa", 1, "hello")
    assert message["id"] != "mine" and not message["sentAt"].startswith("1999") and "html" not in message
    assert "role" not in message


@pytest.mark.settings(rate_limit="0", account_rate_limit="0")
@pytest.mark.gen_test
async def test_five_hundred_code_points_pass_and_one_more_or_nothing_visible_does_not(site: Site) -> None:
    masa = await site.join(await site.account("Masa"))
    for text in ("x" * 500, "😀" * 500, "e\u0301" * 500, " " * 50 + "é" * 500 + "\n"):
        await masa.say(text)
    for text, code in (
        ("x" * 501, "too_large"), ("😀" * 501, "too_large"), ("e\u0301" * 501, "too_large"), ("", "empty"), (" \t\n", "empty"),
        ("\u200b\u2060\ufeff", "empty"), ("\u202e\u202c", "empty"),
    ):  # fmt: skip
        masa.send(type="message", text=text)
        assert (await masa.until("error"))["code"] == code, ascii(text)[:30]


@pytest.mark.gen_test
async def test_look_alikes_of_a_name_are_taken(site: Site) -> None:
    await site.account("admin", "admin")
    add = site.app.services.administration.add_user
    for name in ("ａdmin", "ADMIN", "Admin", " admin", "ａｄｍｉｎ", "ⓐdmin", "admi\u006e"):
        with pytest.raises(ChatError) as refused:
            await add(name, "member", PASSWORD)
        assert refused.value.code in ("taken", "bad_name"), name
        assert refused.value.code == ("bad_name" if "ⓐ" in name else "taken"), name
    await add("e" + "\u0300\u0316" * 3, "member", PASSWORD)
    for name in ("e" + "\u0301" * 9, "a\u202eb", "a\u2066b", "a\u200bb", "a\r\nb", "a\x1b[31m"):
        with pytest.raises(ChatError) as refused:
            await add(name, "member", PASSWORD)
        assert refused.value.code == "bad_name", ascii(name)
