"""Names, passwords, addresses and titles."""

import pytest

from chat_app.core.names import check_password, clean_name, clean_slug, clean_title, name_key
from chat_app.errors import ChatError


@pytest.mark.parametrize(
    "raw", ["a", "Anna", "O'Neil", "anna.b_c-d", "Anna Lena", "Ünal", "李雷", "محمد", "हिन्दी", "7", "x" * 24]
)
def test_a_name_of_any_script_is_kept(raw: str) -> None:
    assert clean_name(raw)[0] == raw


def test_a_name_is_composed_and_trimmed() -> None:
    assert clean_name("  Ame\u0301lie ")[0] == "Amélie"


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", "x" * 25, "a  b", "a\tb", "a\r\nb", "a\n", "\x1b[31m", "a\x00", "a\u202eb", "a\u2066b",
        "a\u200bb", "a\u200db", "a\u00a0b", "a\u3164b", "\u115f", "<b>", "a@b", "😀", "\ud800", "\u0301a",
        "a\ufe0f", "٠\u0301",
        "a" + "\u0302" * 9, "e\u0301" + "\u0302" * 8,
    ],
)  # fmt: skip
def test_a_bad_name_is_refused_with_a_sentence(raw: str) -> None:
    with pytest.raises(ChatError) as refusal:
        clean_name(raw)
    assert refusal.value.code == "bad_name" and refusal.value.message.endswith((".", "'"))


@pytest.mark.parametrize("raw", ["here", "HERE", "ｈere", "here now", "Here-1", "here.", "here's"])
def test_the_call_of_everybody_is_no_name(raw: str) -> None:
    with pytest.raises(ChatError) as refusal:
        clean_name(raw)
    assert refusal.value.code == "bad_name" and "@here" in refusal.value.message


@pytest.mark.parametrize("raw", ["Hereford", "here_1", "here2", "Not here"])
def test_what_only_looks_like_the_call_is_a_name(raw: str) -> None:
    assert clean_name(raw)[0] == raw


def test_eight_marks_on_a_letter_pass() -> None:
    assert clean_name("x" + "\u0302" * 8)[0] == "x" + "\u0302" * 8


@pytest.mark.parametrize("other", ["ADMIN", "ａdmin", "Admin", " admin ", "𝐚dmin"])
def test_names_that_look_the_same_have_one_key(other: str) -> None:
    assert name_key(other) == name_key("admin")


def test_sharp_s_and_ligatures_fold() -> None:
    assert clean_name("Straße")[1] == clean_name("STRASSE")[1]
    assert clean_name("ﬁn")[1] == clean_name("FIN")[1]


@pytest.mark.parametrize(
    "raw", ["short", "x" * 9, "x" * 10, "password123", "QWERTYUIOP", "1234567890", "ab" * 513, "\ud800" * 12]
)
def test_a_bad_password_is_refused(raw: str) -> None:
    with pytest.raises(ChatError) as refusal:
        check_password(raw)
    assert refusal.value.code == "bad_password"


def test_a_password_is_counted_in_code_points_and_composed() -> None:
    assert check_password("😀🎉" * 5) == "😀🎉" * 5
    assert check_password("ab" * 512) == "ab" * 512
    assert check_password("cafe\u0301 latte") == "café latte"


@pytest.mark.parametrize("raw", ["a", "Lobby", "a-b_C9", "x" * 32])
def test_a_slug_is_kept(raw: str) -> None:
    assert clean_slug(raw) == raw


@pytest.mark.parametrize("raw", ["", "a b", "ä", "x" * 33, "a/b", "a\n", "..", "１"])
def test_a_bad_slug_is_refused(raw: str) -> None:
    with pytest.raises(ChatError) as refusal:
        clean_slug(raw)
    assert refusal.value.code == "bad_slug"


@pytest.mark.parametrize("raw", ["General", "Röom #1", "👩‍👩‍👧 family", "<script>", "x" * 64])
def test_a_title_is_kept(raw: str) -> None:
    assert clean_title(f" {raw} ") == raw


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "   ",
        "x" * 65,
        "a\nb",
        "a\u202eb",
        "\u200d",
        "\u3164",
        "\u2800",
        "\ud800",
        "\u00a0",
        "a" + "\u0302" * 9,
    ],
)
def test_a_bad_title_is_refused(raw: str) -> None:
    with pytest.raises(ChatError) as refusal:
        clean_title(raw)
    assert refusal.value.code == "bad_title"
