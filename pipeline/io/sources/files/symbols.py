"""Symbols as this project writes them, from columns and from file names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from pipeline.errors import InvalidData
from pipeline.io.sources.files.currencies import CURRENCIES
from pipeline.io.sources.files.documents import COLUMNAR, COMPRESSED, TEXT

INDICES = ("GSPC", "IXIC", "VIX", "NDX", "DJI", "RUT")
"""Indices that people write without the caret that Yahoo puts before them."""

TICKER = r"\^?[A-Z0-9&][A-Z0-9&]{0,14}(?:[.\-=:/][A-Z0-9&]{1,8}){0,2}"

_OTHER_SUFFIXES = (".gzip", ".zip", ".snappy", ".dly", ".mst", ".eod", ".data", ".xls")
_SUFFIXES = (*TEXT, *COLUMNAR, *COMPRESSED, *_OTHER_SUFFIXES)
_SUFFIX = rf"(?:{'|'.join(map(re.escape, _SUFFIXES))})$"
_UNITS = "s|sec|m|min|mins|minutes?|h|hours?|d|day|days|w|wk|weeks?|mo|months?|y|yr"
_INTERVAL = rf"\d{{1,3}} ?(?:{_UNITS})"
_YEAR = r"(?:FY|CY)?-?(?:19|20)\d\d(?:-?[QqHh][1-4])?"
_DATE = (
    r"(?:19|20)\d\d-?[01]\d-?[0-3]\d|(?:19|20)\d\d-[01]\d(?![0-9])"
    r"|[0-3]\d-[0-3]\d-(?:19|20)\d\d|\d{1,2}\.\d{1,2}\.(?:19|20)\d\d"
)
_MONTH = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])"
_CLASS = r"[A-Z]{1,5}_[ABC]|[a-z]{1,5}_[abc]"  # a class of shares, as BRK_B
_SHORT_DATE = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_WORDS = (
    "historicaldata|daily|day|eod|ohlcv?|bars?|prices?|history|historical|hist|quotes?|data|download|full|all|"
    "adjusted|adj|unadjusted|raw|split|stocks?|equity|equities|max|intraday|hourly|weekly|monthly|"
    "d|w|new|copy|final|clean|cleaned|part|table|export|from|to|my|the|and|of|futures|spot|us|1440|"
    "candlestick|quote"
)
_NOISE = re.compile(rf"(?:{_INTERVAL}|{_YEAR}|{_DATE}|{_WORDS})", re.IGNORECASE)
_AT_END = re.compile(
    rf"(?:-(?:(?i:{_INTERVAL}|{_YEAR}|part-?\d+)|\d\d?|(?![a-z]$|us$)(?i:{_WORDS}))"
    rf"|(?<=[A-Za-z]{{2}})\.\d{{1,2}}|\.(?:(?i:{_INTERVAL}|{_YEAR})|(?=[A-Z]?[a-z]{{2}})(?!us$)(?i:{_WORDS})))$"
)
"""Behind a hyphen or a point. ``.TO`` is an exchange, a single letter a class of shares."""

_GLUED = re.compile(r"(?!HK|SH|SZ|BJ|TW|JP|KR)([A-Z]{1,6})(?:(?:19|20)\d\d|1440)")
"""A year, or the minutes of a day, right behind a symbol."""
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
    as_text = re.fullmatch(r"=\"([^\"]*)\"|'([^']+)", written.strip())  # as Excel keeps zeros
    name = as_bytes[2] if as_bytes else (as_text[1] or as_text[2] or "") if as_text else written
    name = name.strip().upper()
    exchange, mark, bare = name.partition(":")
    name = bare if mark and exchange in _EXCHANGES else name  # as NASDAQ:AAPL
    if share_class_by_dot:
        name = re.sub(r" U[SNQWAPR] EQUITY$", "", name)  # as Bloomberg writes it
        name = re.sub(r"(?<=.)\.US$", "", name)  # as Stooq does, and EODHD
        name = re.sub(r"(?<=[A-Z])[./ _]([A-Z])$", r"-\1", name)
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


def from_file(file_name: str, *folders: str) -> str:
    """The one ticker in a file's name, as written there.

    Years, dates, intervals and words as ``daily`` are none, nor is an exchange before a ticker; a
    coin before what it is priced in is one symbol. A name without any of its own, or a month in the
    folder of its year, is that of the nearest folder with one.

    >>> from_file("AAPL_daily.csv"), from_file("vix_1990.csv"), from_file("AAPL-2023.csv")
    ('AAPL', 'vix', 'AAPL')
    >>> from_file("NASDAQ_AAPL, 1D.csv"), from_file("ETH_BTC-1d.feather"), from_file("7203.T.csv")
    ('AAPL', 'ETH_BTC', '7203.T')
    >>> from_file("11.csv", "2023", "AAPL"), from_file("data.csv", "AAPL.csv.zip")
    ('AAPL', 'AAPL')

    Raises
    ------
    InvalidData
        There is none, or there are several.
    """
    tickers = _tickers(_stem(file_name))
    is_part = bool(tickers and re.fullmatch(r"\d{1,2}", tickers[0]))
    if is_part or not tickers:
        around = _of_folders(folders)
        of_year = bool(folders) and bool(re.fullmatch(_YEAR, folders[0]))
        is_ticker = bool(around) and around[0] == around[0].upper()
        if not is_part or (of_year and is_ticker):
            tickers = around
        elif is_ticker:
            tickers += around
    if len(tickers) == 1:
        return tickers[0]
    shown = f"may be {' or '.join(tickers)}" if tickers else "holds no symbol"
    raise InvalidData(
        "ingest",
        f"{file_name}: the file has no column of symbols, and its name {shown}",
        "a column symbol, or a file named by its symbol, as AAPL.csv",
    )


def _of_folders(folders: Sequence[str]) -> list[str]:
    """Everything that may be a symbol in the nearest folder whose name holds one."""
    for folder in folders:
        if folder.upper() in CURRENCIES:
            return []
        is_name = "=" not in folder and not _is_exchange(folder)
        tickers = _tickers(_stem(folder)) if is_name else []
        if tickers and not re.fullmatch(r"\d{1,2}", tickers[0]):
            return tickers
    return []


def _stem(name: str) -> str:
    stem = unquote(name)
    while (shorter := re.sub(_SUFFIX, "", stem, flags=re.IGNORECASE)) != stem:
        stem = shorter
    return stem


def _tickers(stem: str) -> list[str]:
    """Everything in a name that may be its symbol."""
    if re.fullmatch(r"[A-Z]+", stem):
        return [stem]  # the whole name in capitals, be it ALL, NEW or D
    every = [part for part in re.split(r"[,_\s()\[\]]+", _without_noise(stem)) if part]
    charted = len(every) > 1 and _is_exchange(every[0])
    if charted:  # as NASDAQ_DLY_AAPL, 1D_a1b2c
        exchange, every = every[0], [part for part in every[1:] if part != "DLY"]
        every = every[1:] if [exchange, *every[:1]] == ["STOCK", "DAY"] else every
        for place, part in enumerate(every[:2], start=1):  # as STOCK_US_XNAS_AAPL
            if _is_exchange(part) and every[place:] and not _is_time(every[place]):
                every = every[place:]
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
    if len(parts) == 3 and all(re.fullmatch(_SHORT_DATE, part) for part in parts[1:]):
        parts = parts[:1]
    if len(parts) == 2 and re.fullmatch(_CLASS, "_".join(parts)):
        return ["_".join(parts)]
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
    stem = re.sub(r"^(?i:\d\d-\d\d-\d{4}-TO-\d\d-\d\d-\d{4})-?(.+?)-?(?:ALL|EQ)-?N$", r"\1", stem)
    stem = re.sub(rf"(?<![0-9])(?:{_DATE})(?![0-9])|^{_YEAR}-(?=[A-Z])", " ", stem)
    stem = re.sub(rf"-(?:{_INTERVAL})-|(?<=[A-Z0-9])\.Last$", " ", stem)
    stem = re.sub(r"^Quote-Equity-|-(?:ALL|EQ)(?:-N)?(?=[\s-]|$)", " ", stem.strip(" -"))
    prefix = re.match(r"([A-Za-z]+)[-:#](?=[A-Z0-9&^])|(X[A-Z]{3}|NASDAQ|NYSE)\.(?=[A-Z])", stem)
    if prefix and (_is_exchange(prefix[1] or prefix[2]) or prefix[0] in ("SH#", "SZ#", "BJ#")):
        stem = stem[prefix.end() :]
    while (shorter := _AT_END.sub("", stem.strip(" _-,"))) != stem:
        stem = shorter
    glued = _GLUED.fullmatch(stem)
    return glued[1] if glued else stem


def _is_noise(part: str) -> bool:
    bare = part.strip("-.")
    return (
        not bare or bool(_NOISE.fullmatch(bare)) or bool(re.fullmatch(r"\d{9,}|part-?\d.*", bare))
    )
