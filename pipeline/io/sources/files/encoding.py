"""The encoding of a text file: UTF-8, UTF-16 and UTF-32, or what its market's Excel writes."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

BOMS: Mapping[bytes, str] = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
"""The first that fits: the mark of UTF-32 begins with that of UTF-16."""

OF_CALENDAR: Mapping[str, str] = {
    "XSHG": "gb18030", "XSHE": "gb18030", "XTKS": "cp932", "JPX": "cp932", "XHKG": "big5hkscs",
    "XTAI": "cp950", "XKRX": "cp949", "XMOS": "cp1251", "ASEX": "cp1253", "XIST": "cp1254",
    "XWAR": "cp1250", "XPRA": "cp1250", "XBUD": "cp1250", "XBSE": "cp1250", "XTAE": "cp1255",
}  # fmt: skip
"""What Excel writes on a machine of that market; elsewhere cp1252, which holds Latin-1."""


def encoding(head: bytes, calendar: str) -> str:
    """How a file that begins so is encoded; ``utf-8`` where nothing speaks against it."""
    for mark, name in BOMS.items():
        if head.startswith(mark):
            return name
    if b"\x00" in head[:200]:
        return "utf-16-le" if head[1:2] == b"\x00" else "utf-16-be"
    return "utf-8" if is_utf8(head) else of_market(calendar)


def is_utf8(content: bytes) -> bool:
    """Whether bytes are UTF-8, but for a last character that may be cut."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(content) - 4
    return True


def of_market(calendar: str) -> str:
    """The encoding of files that are no Unicode."""
    return OF_CALENDAR.get(calendar, "cp1252")
