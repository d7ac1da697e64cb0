"""Events that are none: each has its answer, and the connection goes on."""

import json

import pytest

from tests.conftest import Site
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
@pytest.mark.gen_test(timeout=60)
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
