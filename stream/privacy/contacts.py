"""E-mail addresses and names in messengers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from stream.privacy.folding import BARRIER, UNMARKED

_LOCAL: Final = r"[\w.+-]"
_BEGIN: Final = rf"(?<![\w.+{BARRIER}-])"
_AT_DOMAIN: Final = r"@[\w-]++(?:\.[\w-]++)++"
# Several that stand together without a space are one.
_EMAIL: Final = re.compile(rf"{_BEGIN}(?:{_LOCAL}++{_AT_DOMAIN})++")
# "anna собака mail точка ru", "anna (at) mail (dot) ru", "anna @ mail . ru": words for the marks.
_AT: Final = r"(?:\s{0,2}+[(\[{]?(?:@|собака|собачка|at)[)\]}]?\s{0,2}+)"
_DOT: Final = r"(?:\s{0,2}+[(\[{]?(?:\.|точка|dot)[)\]}]?\s{0,2}+)"
_ZONE: Final = r"(?:ru|com|net|org|рф|su|by|kz|ua|info|biz|ру|ком|me|co|uk|de|online|pro|shop)"
_OBSCURED: Final = re.compile(
    rf"{_BEGIN}[\w.+-]{{1,64}}+{_AT}[\w-]{{1,63}}?(?:{_DOT}[\w-]{{1,63}}?)??{_DOT}{_ZONE}(?!\w)",
    re.IGNORECASE,
)
_HANDLE: Final = re.compile(UNMARKED + r"(?<![@./])@[A-Za-z][A-Za-z0-9_.]{2,31}+(?!\w)")
_LINK: Final = re.compile(
    UNMARKED + r"(?:https?://)?(?:www\.)?(?:t\.me|telegram\.me|wa\.me|vk\.com|vk\.ru|ok\.ru|m\.me"
    r"|instagram\.com|facebook\.com)/[\w.+/-]{2,64}+",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    UNMARKED
    + r"(?:телеграм\w{0,3}|телега|телеге|тг|telegram|tg|скайп\w{0,2}|skype|инста(?:грам\w{0,2})?"
    r"|инсте|instagram|insta|вк|vk|вконтакте|icq|аська|дискорд|discord|вайбер|viber|whatsapp|ватсап)"
    r"(?:\s{1,2}+(?:мой|ник|логин|id))?[\s:=-]{1,3}+@?([A-Za-z][A-Za-z0-9_.:-]{3,40}+)(?!\w)",
    re.IGNORECASE,
)
_MESSENGERS: Final = frozenset(
    {"telegram", "skype", "instagram", "insta", "viber", "whatsapp", "discord", "facebook"}
)


# Most texts have nothing of it, and then no pattern needs to look.
_MAY_BE_EMAIL: Final = re.compile(r"@|соба[кч]|\bat\b", re.IGNORECASE)
_MAY_BE_NAME: Final = re.compile(r"[A-Za-z]")


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Yield where e-mail addresses stand in a folded text."""
    if _MAY_BE_EMAIL.search(text) is None:
        return
    for found in _EMAIL.finditer(text):
        yield found.span()
    for found in _OBSCURED.finditer(text):
        yield found.span()


def find_messenger_names(text: str) -> Iterator[tuple[int, int]]:
    """Yield where names and links of people in messengers stand in a folded text."""
    if _MAY_BE_NAME.search(text) is None:
        return
    for found in _LINK.finditer(text):
        yield found.span()
    for found in _HANDLE.finditer(text):
        yield found.span()
    for found in _NAMED.finditer(text):
        if found[1].casefold() not in _MESSENGERS:
            yield found.span(1)
