"""What a name, a password, a room's address and its title may be.

Called by `identity` and the handlers; a bad value is refused with a sentence, never repaired.
"""

from __future__ import annotations

import re
import unicodedata

from chat_app.errors import ChatError
from chat_app.protocol import SLUG

NAME_LIMIT = 24
TITLE_LIMIT = 64
MARKS_LIMIT = 8
"""Combining marks on one letter; more climb over the lines above (no language needs more)."""
PASSWORD_SHORTEST = 10
PASSWORD_LONGEST = 1024

_PUNCTUATION = frozenset(" _-.'")
# Letters and marks that show nothing: fillers of Hangul and Khmer, the grapheme joiner, variation selectors.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
_JOINERS = frozenset("\u200c\u200d")
_COMMON = frozenset(
    re.findall(
        r"\S+",
        """
        1234567890 0123456789 9876543210 0987654321 12345678910 123456789a 123456789q 1111111111 0000000000
        1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc qwertyuiop qwerty12345 qwerty123456 qwerty1234 qwertyuiop123
        qwertzuiop azertyuiop asdfghjkl; asdfghjkl1 zxcvbnm123 password12 password123 password1234
        password12345 passw0rd123 p@ssword123 p@ssw0rd123 passwordpassword password!! password123!
        mypassword iloveyou12 iloveyou123 iloveyouforever letmein1234 letmein123 welcome1234 welcome123
        welcome12345 admin12345 admin123456 adminadmin administrator changeme123 changemenow football123
        baseball123 basketball superman123 batman12345 starwars123 dragon12345 sunshine123 princess123
        monkey12345 michael123 abcdefghij abcdefghijk abc1234567 abcd123456 a123456789 aaaaaaaaaa qqqqqqqqqq
        test123456 testtest123 secret12345 trustno1234 whatever123 computer123 internet123
        correcthorsebatterystaple
        """,
    )
)


def clean_name(raw: str) -> tuple[str, str]:
    """An account's name as it is shown, and the key that makes it unique. Raises `ChatError("bad_name")`."""
    if not _encodable(raw):
        raise ChatError("bad_name", "A name is made of letters, digits, spaces and _ - . '")
    name = unicodedata.normalize("NFC", raw).strip(" ")
    if not 1 <= len(name) <= NAME_LIMIT:
        raise ChatError("bad_name", "A name has 1 to %(most)s characters.", most=NAME_LIMIT)
    if "  " in name:
        raise ChatError("bad_name", "A name has no two spaces in a row.")
    if not _is_name(name):
        raise ChatError("bad_name", "A name is made of letters, digits, spaces and _ - . '")
    return name, name_key(name)


def name_key(raw: str) -> str:
    """What two names share that count as the same: `ADMIN`, `admin` and `\uff41dmin` have one key."""
    sound = raw.encode("utf-8", "replace").decode()  # of a lone surrogate no database knows
    folded = unicodedata.normalize("NFKC", sound).casefold()
    return unicodedata.normalize("NFKC", folded).strip(" ")


def _is_name(name: str) -> bool:
    marks = -1  # no letter yet that could carry one
    for char in name:
        category = unicodedata.category(char)
        if char in _INVISIBLE or "\ufe00" <= char <= "\ufe0f" or char >= "\U000e0000":
            return False
        if category[0] == "L":
            marks = 0
        elif category[0] == "M":
            if not 0 <= marks < MARKS_LIMIT:
                return False
            marks += 1
        elif category == "Nd" or char in _PUNCTUATION:
            marks = -1
        else:
            return False
    return _marks_on_a_letter(name) <= MARKS_LIMIT


def _marks_on_a_letter(name: str) -> int:
    """The most marks on one letter when every composed letter is taken apart."""
    most = run = 0
    for char in unicodedata.normalize("NFD", name):
        run = run + 1 if unicodedata.category(char)[0] == "M" else 0
        most = max(most, run)
    return most


def check_password(raw: str) -> str:
    """A new password in the form that is hashed. Raises `ChatError("bad_password")`."""
    if not _encodable(raw):
        raise ChatError("bad_password", "This password has characters that are none.")
    password = password_form(raw)
    if len(password) < PASSWORD_SHORTEST:
        raise ChatError(
            "bad_password", "A password has at least %(least)s characters.", least=PASSWORD_SHORTEST
        )
    if len(password) > PASSWORD_LONGEST:
        raise ChatError("bad_password", "A password has at most %(most)s characters.", most=PASSWORD_LONGEST)
    if password.casefold() in _COMMON or len(set(password)) == 1:
        raise ChatError("bad_password", "This password is one of the first that are tried. Choose another.")
    return password


def password_form(raw: str) -> str:
    """NFC, so that keyboards that compose differently give the same password (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", raw)


def clean_slug(raw: str) -> str:
    """A room's address. Raises `ChatError("bad_slug")`."""
    if not SLUG.fullmatch(raw):
        raise ChatError("bad_slug", "A room's address has 1 to 32 letters, digits, - and _.")
    return raw


def clean_title(raw: str) -> str:
    """A room's title. Raises `ChatError("bad_title")`."""
    wrong = ChatError("bad_title", "A title has 1 to %(most)s visible characters.", most=TITLE_LIMIT)
    if not _encodable(raw):
        raise wrong
    title = unicodedata.normalize("NFC", raw).strip(" ")
    if not 1 <= len(title) <= TITLE_LIMIT or _marks_on_a_letter(title) > MARKS_LIMIT:
        raise wrong
    shown = False
    for char in title:
        kind = unicodedata.category(char)
        if (kind[0] == "C" and char not in _JOINERS) or kind in ("Zl", "Zp"):
            raise wrong
        shown = shown or (kind[0] in "LNPS" and char not in _INVISIBLE and char != "\u2800")
    if not shown:
        raise wrong
    return title


def _encodable(raw: str) -> bool:
    try:
        raw.encode()
    except UnicodeEncodeError:
        return False
    return True
