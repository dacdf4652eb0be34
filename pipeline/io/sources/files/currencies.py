"""Currencies and coins as prices, headers and file names write them."""

from __future__ import annotations

import re

_PRICED_IN = """
USDT USDC BUSD FDUSD TUSD USDP USDS DAI PAX UST USD EUR GBP JPY KRW TRY CHF AUD CAD NZD BRL IDR INR
RUB UAH ZAR NGN ARS MXN PLN RON CZK SEK NOK DKK SGD HKD CNY CNH THB BTC ETH BNB XBT SOL TRX XRP DOT
DOGE VAI
"""
CURRENCIES = frozenset(_PRICED_IN.split())
"""What a pair of crypto coins or currencies is priced in."""

_OTHERS = """
GBX ZAC ILA ILS HUF ISK BGN TWD MYR PHP VND SAR AED QAR KWD EGP CLP COP PEN PKR LKR BDT KZT
RS RS. RM KR KČ ZŁ TL P FT
"""
_WORDS = CURRENCIES | frozenset(_OTHERS.split())

SIGNS = "$€£¥₹₩₺₽₴฿₫₦₱₪元円원圓"

_SIGN = rf"(?:[A-Z]{{0,3}}[{SIGNS}])"
_CODE = r"(?:USDT?|EUR|GBP|GBX|JPY|CHF|INR|AUD|CAD|NZD|BRL|KRW|CNY|HKD|TWD|SGD|SEK|NOK|DKK|PLN|CZK"
_CODE += r"|HUF|TRY|RUB|ZAR|ZAC|ILS|MXN|THB|IDR|Rp\.?|MYR|SAR|Rs\.?|RM|GBp)"
BEFORE = re.compile(rf"^([+-]?)({_SIGN}|{_CODE})(?=[+-]?[\d.,])")
BEHIND = re.compile(rf"(?<=[\d.,])({_SIGN}|{_CODE}|kr\.?|zł|Kč|TL|Ft|p)$")
"""A currency beside a number."""


def is_money(word: str) -> bool:
    """Whether a word or sign is a currency, or a part of one such as pence.

    >>> [is_money(word) for word in ("USD", "GBp", "US$", "₹", "Rs.", "MIL", "adj")]
    [True, True, True, True, True, False, False]
    """
    return word.strip().upper() in _WORDS or bool(re.fullmatch(_SIGN, word.strip()))
