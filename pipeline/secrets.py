"""Passwords in addresses: taken out of whatever is printed, logged or kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
"""All before the last @ of an address's host, since passwords hold @ and : as people type them."""

_NAMED = re.compile(
    r"(?i)([?&;\s](?:password|passwd|pwd|token|secret|access_key|api_key|sig|signature)=)[^&\s'\"]+"
)
_HEADER = re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer)\s+)[^\s'\"]+")


_PASSWORD = re.compile(r"://[^/\s'\"]*:[^/\s'\"]*@|(?i:https?)://[^/\s'\"]*@")
"""Not the address of a database that names its user alone; a server's user alone is a token."""


def masked(text: str) -> str:
    """A text whose addresses name no user and no password.

    Examples
    --------
    >>> masked("no answer from postgresql://me:p@ss@host:5432/runs?password=x&a=1")
    'no answer from postgresql://***@host:5432/runs?password=***&a=1'
    >>> masked("https://host/path and me@example.com")
    'https://host/path and me@example.com'
    """
    text = _USER.sub(f"{MASK}@", text)
    return _HEADER.sub(rf"\1{MASK}", _NAMED.sub(rf"\1{MASK}", text))


def holds_secret(text: str) -> bool:
    """Whether a text has something to mask."""
    return masked(text) != text


def holds_password(text: str) -> bool:
    """Whether a text has more to mask than the name of a database's user.

    >>> holds_password("store.url=postgresql://me@host/prices")
    False
    >>> holds_password("store.url=postgresql://me:pw@host/prices")
    True
    """
    return any(pattern.search(text) for pattern in (_PASSWORD, _NAMED, _HEADER))


def masked_values(content: Any) -> Any:
    """Nested values with every text masked."""
    if isinstance(content, str):
        return masked(content)
    if isinstance(content, Mapping):
        return {key: masked_values(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [masked_values(value) for value in content]
    return content
