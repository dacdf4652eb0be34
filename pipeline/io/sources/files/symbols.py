"""Symbols as this project writes them, from columns and from file names."""

from __future__ import annotations

import re
from urllib.parse import unquote

from pipeline.errors import InvalidData
from pipeline.io.sources.files.documents import COLUMNAR, COMPRESSED, TEXT

INDICES = ("GSPC", "IXIC", "VIX", "NDX", "DJI", "RUT")
"""Indices that people write without the caret that Yahoo puts before them."""

TICKER = r"\^?[A-Z0-9&][A-Z0-9&]{0,14}(?:[.\-=:/][A-Z0-9&]{1,8}){0,2}"

_SUFFIXES = (*TEXT, *COLUMNAR, *COMPRESSED, ".gzip", ".zip", ".snappy")
_SUFFIX = rf"(?:{'|'.join(map(re.escape, _SUFFIXES))})$"
_UNITS = "s|sec|m|min|mins|minutes?|h|hours?|d|day|days|w|wk|weeks?|mo|months?|y|yr"
_INTERVAL = rf"\d{{1,3}} ?(?:{_UNITS})"
_YEAR = r"(?:19|20)\d\d(?:-?[QqHh][1-4])?"
_DATE = r"(?:19|20)\d\d-?[01]\d-?[0-3]\d|(?:19|20)\d\d-[01]\d(?![0-9])"
_MONTH = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])"
_WORDS = (
    "historicaldata|daily|day|eod|ohlcv?|bars?|prices?|history|historical|hist|quotes?|data|download|full|all|"
    "adjusted|adj|unadjusted|raw|split|stocks?|equity|equities|max|intraday|hourly|weekly|monthly|"
    "d|w|new|copy|final|clean|cleaned|part|table|export|from|to|my|the|and|of|futures|spot|us"
)
_NOISE = re.compile(rf"(?:{_INTERVAL}|{_YEAR}|{_DATE}|{_WORDS})", re.IGNORECASE)
_AT_END = re.compile(
    rf"(?:-(?:(?i:{_INTERVAL}|{_YEAR}|part-?\d+)|\d\d|(?![a-z]$|us$)(?i:{_WORDS}))"
    rf"|\.(?:(?i:{_INTERVAL}|{_YEAR})|(?=[A-Z]?[a-z]{{2}})(?!us$)(?i:{_WORDS})))$"
)
"""Behind a hyphen or a point. ``.TO`` is an exchange, a single letter a class of shares."""

_GLUED_YEAR = re.compile(r"(?!HK|SH|SZ|BJ|TW|JP|KR)([A-Z]{1,6})(?:19|20)\d\d")
_CHARTED = """
NASDAQ NYSE AMEX ARCA NYSEARCA BATS OTC CBOE IEX LSE LSIN NSE BSE MCX TSX TSXV NEO CSE ASX NZX HKEX
HKG SSE SZSE TSE TYO KRX KOSPI KOSDAQ TWSE TPEX SGX IDX SET BURSA MYX XETR FWB SWB GETTEX TRADEGATE
SIX EURONEXT EPA AMS BRU ELI MIL BME VIE OMX OMXSTO OMXCOP OMXHEX OSL GPW MOEX JSE TADAWUL TASE BIST
BVMF BMFBOVESPA BCBA BMV BINANCE COINBASE KRAKEN BITSTAMP BITFINEX BYBIT OKX KUCOIN BITMEX GEMINI
TVC FX OANDA FOREXCOM CRYPTO INDEX XNAS XNYS XASE XLON XPAR XAMS XTSE XTKS XHKG XASX XBOM XNSE XSHG
XSHE STOCK WIKI EOD SP DJ CME COMEX NYMEX EUREX ICEUS HUOBI GATEIO BITGET MEXC
"""
_EXCHANGES = frozenset(_CHARTED.split())
"""Exchanges as file names of charting programs begin with them."""

_PRICED_IN = """
USDT USDC BUSD FDUSD TUSD USDP USDS DAI PAX UST USD EUR GBP JPY KRW TRY CHF AUD CAD NZD BRL IDR INR
RUB UAH ZAR NGN ARS MXN PLN RON CZK SEK NOK DKK SGD HKD CNY CNH THB BTC ETH BNB XBT SOL TRX XRP DOT
DOGE VAI
"""
CURRENCIES = frozenset(_PRICED_IN.split())
"""What a pair of crypto coins or currencies is priced in."""


MAX_NAME = 40
"""Characters of a symbol; the longest of the exchanges, those of options, have 21."""


def symbol(written: str, *, share_class_by_dot: bool) -> str:
    """As Yahoo writes it.

    Parameters
    ----------
    share_class_by_dot
        Whether a single letter after a dot is a share class, as in the US, and no exchange.

    >>> symbol(" brk.b ", share_class_by_dot=True), symbol("GSPC", share_class_by_dot=True)
    ('BRK-B', '^GSPC')
    """
    as_bytes = re.fullmatch(r"b(['\"])(.*)\1", written.strip())  # as Python prints them
    name = (as_bytes[2] if as_bytes else written).strip().upper()
    if share_class_by_dot:
        name = re.sub(r"(?<=[A-Z])[./ ]([A-Z])$", r"-\1", name)
    return f"^{name}" if name in INDICES else name


def is_name(written: str) -> bool:
    """Whether a text may be a symbol: no formula, no path, no pattern, nothing that controls.

    >>> [is_name(name) for name in ("BRK-B", "^GSPC", "EURUSD=X", "7203.T", "BTC/USDT")]
    [True, True, True, True, True]
    >>> [is_name(name) for name in ("=1+1", "@SUM(A1)", "../etc", "/etc", "*", "A\\nB", "")]
    [False, False, False, False, False, False, False]
    """
    return (
        0 < len(written) <= MAX_NAME
        and written.isprintable()
        and not written.startswith(("=", "+", "-", "@", "/", "."))
        and not set("*?\\<>|\"'`;$") & set(written)
        and ".." not in written
    )


def from_file(file_name: str, folder: str = "") -> str:
    """The one ticker in a file's name, as written there.

    Years, dates, intervals and words as ``daily`` are none, nor is an exchange before a ticker; a
    coin before what it is priced in is one symbol. A name without any of its own is that of its
    folder.

    >>> from_file("AAPL_daily.csv"), from_file("vix_1990.csv"), from_file("AAPL-2023.csv")
    ('AAPL', 'vix', 'AAPL')
    >>> from_file("NASDAQ_AAPL, 1D.csv"), from_file("ETH_BTC-1d.feather"), from_file("7203.T.csv")
    ('AAPL', 'ETH_BTC', '7203.T')

    Raises
    ------
    InvalidData
        There is none, or there are several.
    """
    stem = unquote(file_name)
    while (shorter := re.sub(_SUFFIX, "", stem, flags=re.IGNORECASE)) != stem:
        stem = shorter
    tickers = _tickers(stem)
    is_name = "=" not in folder and folder.upper() not in CURRENCIES
    if not tickers and folder and is_name:
        tickers = _tickers(re.sub(_SUFFIX, "", unquote(folder), flags=re.IGNORECASE))
    if len(tickers) == 1:
        return tickers[0]
    shown = f"may be {' or '.join(tickers)}" if tickers else "holds no symbol"
    raise InvalidData(
        "ingest",
        f"{file_name}: the file has no column of symbols, and its name {shown}",
        "a column symbol, or a file named by its symbol, as AAPL.csv",
    )


def _tickers(stem: str) -> list[str]:
    """Everything in a name that may be its symbol."""
    if re.fullmatch(r"[A-Z]+", stem):
        return [stem]  # the whole name in capitals, be it ALL, NEW or D
    every = [part for part in re.split(r"[,_\s()\[\]]+", _without_noise(stem)) if part]
    charted = len(every) > 1 and _is_exchange(every[0])
    if charted:  # as NASDAQ_DLY_AAPL, 1D_a1b2c
        exchange, every = every[0], [part for part in every[1:] if part != "DLY"]
        first = [part for part in every[:1] if re.fullmatch(TICKER, part) and not _is_time(part)]
        parts = first + [part for part in every[len(first) :] if not _is_noise(part)]
        parts = [part for part in parts if not re.fullmatch(r"[0-9a-f]{5}", part)] or parts
        parts = parts or [exchange]
    else:
        parts = [part for part in every if not _is_noise(part)]
    others = [part for part in parts[1:] if not _is_exchange(part)]
    parts = parts[:1] + others
    if len(parts) > 1 and parts[1].upper() in CURRENCIES:
        priced = 1
        while priced < len(parts) and parts[priced].upper() in CURRENCIES:
            priced += 1
        return ["_".join(parts[:priced]), *parts[priced:]]
    if len(parts) == 1:
        return parts if re.fullmatch(TICKER, parts[0].upper()) else []
    months = [part for part in parts if re.fullmatch(_MONTH, part)]
    parts = [part for part in parts if part not in months] or months
    known = [part for part in parts if part.upper().lstrip("^") in INDICES]
    return [part for part in parts if re.fullmatch(TICKER, part)] or known


def _is_exchange(part: str) -> bool:
    """Names of two to four letters in capitals only: ``six`` is a number."""
    return part in _EXCHANGES or (len(part) > 4 and part.upper() in _EXCHANGES)


def _is_time(part: str) -> bool:
    return bool(re.fullmatch(rf"(?i:{_INTERVAL})|{_YEAR}|{_DATE}|{_MONTH}", part))


def _without_noise(stem: str) -> str:
    """Dates, years, intervals and words taken off the end, also behind a hyphen."""
    stem = re.sub(r"\(\d{1,2}\)|(?i:part)[ _-]?\d+$|(?<=[A-Za-z]{2})_\d{1,2}$", " ", stem.strip())
    stem = re.sub(rf"(?<![0-9])(?:{_DATE})(?![0-9])|^{_YEAR}-(?=[A-Z])", " ", stem)
    stem = re.sub(rf"-(?:{_INTERVAL})-", " ", stem)
    prefix = re.match(r"([A-Za-z]+)[-:](?=[A-Z0-9&^])", stem)
    if prefix and _is_exchange(prefix[1]):
        stem = stem[prefix.end() :]
    while (shorter := _AT_END.sub("", stem.strip(" _-,"))) != stem:
        stem = shorter
    glued = _GLUED_YEAR.fullmatch(stem)
    return glued[1] if glued else stem


def _is_noise(part: str) -> bool:
    bare = part.strip("-.")
    return (
        not bare or bool(_NOISE.fullmatch(bare)) or bool(re.fullmatch(r"\d{9,}|part-?\d.*", bare))
    )
