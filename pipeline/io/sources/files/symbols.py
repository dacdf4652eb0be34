"""Symbols as this project writes them, from columns and from file names."""

from __future__ import annotations

import re
from urllib.parse import unquote

from pipeline.errors import InvalidData

INDICES = ("GSPC", "IXIC", "VIX", "NDX", "DJI", "RUT")
"""Indices that people write without the caret that Yahoo puts before them."""

TICKER = r"\^?[A-Z0-9&][A-Z0-9&]{0,14}(?:[.\-=:/][A-Z0-9&]{1,8}){0,2}"

_SUFFIX = r"\.(?:csv|txt|tsv|parquet|pq|feather|arrow|gz|bz2|xz|zip)$"
_INTERVAL = r"\d{1,3} ?(?:s|sec|m|min|mins|minutes?|h|hours?|d|day|days|w|wk|weeks?|mo|months?)"
_YEAR = r"(?:19|20)\d\d"
_DATE = r"(?:19|20)\d\d-?[01]\d-?[0-3]\d"
_WORDS = (
    "historicaldata|daily|day|eod|ohlcv?|bars?|prices?|history|historical|hist|quotes?|data|download|full|all|"
    "adjusted|adj|unadjusted|raw|split|stocks?|equity|equities|max|intraday|hourly|weekly|monthly|"
    "d|w|new|copy|final|clean|cleaned|part|table|export|from|to|my|the|and|of|futures|spot|us"
)
_NOISE = re.compile(rf"(?:{_INTERVAL}|{_YEAR}|{_DATE}|{_WORDS})", re.IGNORECASE)
_CHARTED = """
NASDAQ NYSE AMEX ARCA NYSEARCA BATS OTC CBOE IEX LSE LSIN NSE BSE MCX TSX TSXV NEO CSE ASX NZX HKEX
HKG SSE SZSE TSE TYO KRX KOSPI KOSDAQ TWSE TPEX SGX IDX SET BURSA MYX XETR FWB SWB GETTEX TRADEGATE
SIX EURONEXT EPA AMS BRU ELI MIL BME VIE OMX OMXSTO OMXCOP OMXHEX OSL GPW MOEX JSE TADAWUL TASE BIST
BVMF BMFBOVESPA BCBA BMV BINANCE COINBASE KRAKEN BITSTAMP BITFINEX BYBIT OKX KUCOIN BITMEX GEMINI
TVC FX OANDA FOREXCOM CRYPTO INDEX XNAS XNYS XASE XLON XPAR XAMS XTSE XTKS XHKG XASX XBOM XNSE XSHG
XSHE STOCK
"""
_EXCHANGES = frozenset(_CHARTED.split())
"""Exchanges as file names of charting programs begin with them."""

_PRICED_IN = "USDT USDC BUSD FDUSD TUSD DAI USD EUR GBP JPY KRW TRY CHF AUD CAD BTC ETH BNB XBT"
_QUOTES = frozenset(_PRICED_IN.split())
"""What a pair of crypto coins or currencies is priced in."""


def symbol(written: str, *, share_class_by_dot: bool) -> str:
    """As Yahoo writes it.

    Parameters
    ----------
    share_class_by_dot
        Whether a single letter after a dot is a share class, as in the US, and no exchange.

    >>> symbol(" brk.b ", share_class_by_dot=True), symbol("GSPC", share_class_by_dot=True)
    ('BRK-B', '^GSPC')
    """
    name = written.strip().upper()
    if share_class_by_dot:
        name = re.sub(r"[./ ]([A-Z])$", r"-\1", name)
    return f"^{name}" if name in INDICES else name


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
    if not tickers and folder:
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
    parts = [part for part in re.split(r"[,_\s()\[\]]+", _without_noise(stem)) if part]
    parts = [part for part in parts if not _is_noise(part)]
    others = [part for part in parts if part not in _EXCHANGES]
    if others and len(others) < len(parts):  # charting programs add five digits of a hash
        parts = [part for part in others if not re.fullmatch(r"[0-9a-f]{5}", part)] or others
    if len(parts) > 1 and all(part.upper() in _QUOTES for part in parts[1:]):
        return ["_".join(parts)]
    if len(parts) == 1:
        return parts if re.fullmatch(TICKER, parts[0].upper()) else []
    known = [part for part in parts if part.upper().lstrip("^") in INDICES]
    return [part for part in parts if re.fullmatch(TICKER, part)] or known


def _without_noise(stem: str) -> str:
    """Dates, years, intervals and words taken off the end, also behind a hyphen."""
    stem = re.sub(rf"(?<![0-9]){_DATE}(?![0-9])", " ", stem)
    # A single letter behind a hyphen is a share class; the words d and w follow other marks only.
    stem = re.sub(rf"^(?:{'|'.join(sorted(_EXCHANGES))})[-:](?=[A-Z0-9&])", "", stem)
    end = re.compile(rf"[-.](?:{_INTERVAL}|{_YEAR}|(?![a-z]$|us$)(?:{_WORDS}))$", re.IGNORECASE)
    while (shorter := end.sub("", stem.strip(" _-,"))) != stem:
        stem = shorter
    return stem


def _is_noise(part: str) -> bool:
    bare = part.strip("-.")
    return (
        not bare
        or bool(_NOISE.fullmatch(bare))
        or bool(re.fullmatch(r"\d{1,2}|\d{9,}|part-?\d.*", bare))
    )
