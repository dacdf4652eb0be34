"""What columns are called in people's files: in English, by vendors, by exchanges elsewhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping


def folded(text: str) -> str:
    """Lower case without accents, in the one form of each character.

    >>> folded("Máxima"), folded("AÇILIŞ"), folded("Wołomin")
    ('maxima', 'acilis', 'wolomin')
    """
    parts = unicodedata.normalize("NFKD", text).lower().translate({0x131: "i", 0x142: "l"})
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    return unicodedata.normalize("NFC", bare)


_WRITTEN: Mapping[str, tuple[str, ...]] = {
    "date": (
        "date", "dates", "price date", "pricedate", "begins at", "session", "timestamp", "datetime",
        "day", "date/time", "date ymd", "trading day", "trade date", "tradedate", "trading date",
        "quote date", "business date", "exchange date", "datadate", "dlycaldt", "calendar date",
        "date1", "traddt", "trddt", "ch timestamp", "dtyyyymmdd", "datum", "dato", "päivämäärä",
        "fecha", "data", "data pregão", "data sesji", "dátum", "ημερομηνία", "дата", "tarih",
        "tanggal", "ngày", "วันที่", "วันเดือนปี", "तारीख", "תאריך", "日期", "交易日期",
        "交易日", "交易时间", "日付", "日付け", "年月日", "일자", "날짜", "년/월/일", "التاريخ",
        "time", "gmt time", "local time", "utc time", "time (utc)", "date (utc)", "open time",
        "opentime", "timeopen", "start at", "start time", "window start", "ts event", "snapped at",
        "unix", "unix timestamp", "ts", "t", "index", "unnamed: 0", "index level 0",
    ),
    "symbol": (
        "symbol", "ticker", "name", "stock", "tic", "act symbol", "ticker symbol", "tckrsymb",
        "stock symbol", "ch symbol",
    ),
    "open": (
        "first", "open", "o", "open price", "price open", "opening price", "opening", "opnpric",
        "opnprc", "px open", "open prc", "openprc", "dlyopen", "prcod", "ch opening price",
        "eröffnung", "eroeffnung", "eröffn", "eröffnungskurs", "anfangskurs", "erster",
        "ouverture", "ouv", "cours d'ouverture", "apertura", "prezzo di apertura", "abertura",
        "abert", "preço de abertura", "otwarcie", "kurs otwarcia", "öppen", "öppningskurs", "åben",
        "åpning", "avaus", "otevření", "nyitó", "άνοιγμα", "откр", "открытие", "açılış",
        "pembukaan", "mở", "mở cửa", "giá mở cửa", "เปิด", "ราคาเปิด", "पहला", "פתיחה", "开盘",
        "开盘价", "今开", "今开盘", "開盤價", "開盤", "開市", "開市價", "始値", "시가", "الافتتاح",
    ),
    "high": (
        "high", "h", "high price", "price high", "highest", "highest price", "hghpric", "hiprc",
        "px high", "high 1", "askhi", "dlyhigh", "prchd", "ch trade high price", "hoch",
        "tageshoch", "höchstkurs", "hoechstkurs", "höchst", "plus haut", "haut", "cours max",
        "máximo", "máx", "massimo", "prezzo massimo", "máxima", "max", "kurs max", "hoog",
        "hoogste", "najwyzszy", "högst", "högsta", "högstakurs", "høj", "høy", "ylin", "υψηλό",
        "макс", "максимум", "yüksek", "tertinggi", "cao", "cao nhất", "giá cao nhất", "สูง",
        "สูงสุด", "ราคาสูงสุด", "उच्च", "גבוה", "最高", "最高价", "最高價", "高", "高値", "고가",
        "الأعلى",
    ),
    "low": (
        "low", "l", "low price", "price low", "lowest", "lowest price", "lwpric", "loprc",
        "px low", "low 1", "bidlo", "dlylow", "prcld", "ch trade low price", "tief", "tagestief",
        "tiefstkurs", "tiefst", "plus bas", "bas", "cours min", "mínimo", "mín", "minimo",
        "prezzo minimo", "mínima", "min", "kurs min", "laag", "laagste", "najnizszy", "lägst",
        "lägsta", "lägstakurs", "lav", "alin", "χαμηλό", "мин", "минимум", "düşük", "terendah",
        "thấp", "thấp nhất", "giá thấp nhất", "ต่ำ", "ต่ำสุด", "ราคาต่ำสุด", "निम्न", "נמוך",
        "最低", "最低价", "最低價", "低", "安値", "저가", "الأدنى",
    ),
    "close": (
        "close", "c", "close/last", "close price", "price close", "closing price", "closing",
        "clspric", "clsprc", "dlyclose", "prccd", "ch closing price",
        "close close price adjusted for splits", "closeclose price adjusted for splits",
        "schluss", "schlusskurs", "clôture", "clot", "cours de clôture", "cierre", "chiusura",
        "prezzo di chiusura", "fechamento", "fech", "preço de fechamento", "zamkniecie",
        "kurs zamknięcia", "stängning", "stängningskurs", "slutkurs", "slot", "закрытие",
        "kapanış", "penutupan", "đóng cửa", "giá đóng cửa", "ราคาปิด", "ปิด", "收盘", "收盘价",
        "今收盘", "收盤價", "收盤", "收市", "收市價", "終値", "종가", "الإغلاق", "px last", "last",
        "last price", "latest", "trdprc 1", "prc", "dlyprc", "zuletzt", "dernier", "último",
        "ultimo", "laatste", "senast", "senaste", "seneste", "siste", "viimeisin", "ostatnio",
        "poslední", "utolsó", "τελευταία", "цена", "şimdi", "terakhir", "lần cuối", "ล่าสุด",
        "मूल्य", "שער", "الأخير", "price",
    ),
    "volume": (
        "number of shares", "no of shares", "shares traded", "traded shares", "stuecke", "stücke",
        "umsatz (stück)", "umsatz stück", "volumen (stück)", "umsatz in stück",
        "turnover in pcs", "quantidade", "quantità", "real volume", "volume", "v", "vol",
        "volume traded", "traded volume", "total traded quantity", "tottrdqty", "ttltradgvol",
        "ttl trd qnty", "ch tot traded qty", "trade volume", "trading volume", "total volume",
        "px volume", "acvol uns", "acvol 1", "cshtrd", "dlyvol", "dnshrtrd", "tick volume",
        "tickvol", "volumen", "volumes", "wolumen", "wol", "volym", "volyymi", "obj", "forg",
        "όγκος", "объём", "объем", "hac", "hacim", "khối lượng", "kl", "ปริมาณ", "मात्रा",
        "נפח מסחר", "成交量", "成交股數", "交易量", "出来高", "売買高", "거래량", "الحجم",
    ),
    "adjusted_close": (
        "adj close", "adjusted close", "adjclose", "close adjusted", "adjustedclose", "closeadj",
        "adj close price", "adjusted", "調整後終値", "終値調整値", "수정종가",
        "adj close adjusted close price adjusted for splits and dividend and/or capital gain "
        "distributions",
        "adj closeadjusted close price adjusted for splits and dividend and/or capital gain "
        "distributions",
    ),
    "split": (
        "split coefficient", "stock splits", "split factor", "splitfactor", "split ratio",
        "splitratio", "splitcoefficient", "stocksplits", "stock split", "split", "splits",
        "splits ratio", "split coef", "stocksplit", "stock split ratio", "split multiplier",
    ),
    "factor": (
        "adj factor", "adjfactor", "adjustment factor", "adjustmentfactor", "factor", "cfacpr",
        "facpr", "ajexdi", "split adjustment", "adj split", "split adj factor", "divisor", "bonus",
        "stock dividend", "stock dividends", "复权因子", "調整係数", "ratio", "corporate action",
        "corporate actions", "corp action", "corp actions",
    ),
    "dividend": (
        "dividend", "dividends", "ex-dividend", "dividend amount", "divcash", "cash dividend",
        "dividendamount", "div cash",
    ),
    "exchange": ("exchange",),
    "sector": ("sector", "gics sector"),
    "series": ("series", "sctysrs", "ch series"),
}  # fmt: skip

ALIASES: Mapping[str, tuple[str, ...]] = {
    field: tuple(dict.fromkeys(map(folded, names))) for field, names in _WRITTEN.items()
}
"""Names by field, as ``columns.plain`` writes them; an earlier one wins over a later one.

A count of shares wins over a volume, which some exchanges count in money.
"""

CODES = frozenset(
    map(
        folded,
        (
            "code", "ts code", "sym", "instrument", "ric", "asset", "order book id", "stock code",
            "stock id", "security code", "sec code", "sc code", "secid", "instrument code",
            "ativo", "stkcd", "股票代码", "证券代码", "代码", "股票代號", "證券代號", "コード",
            "銘柄コード", "종목코드",
        ),
    )
)  # fmt: skip
"""Columns that may hold symbols, and in other files something else: named, never chosen."""

TURNOVERS = tuple(
    map(
        folded,
        (
            "amount", "turnover value", "turnovervalue", "成交额", "成交額", "成交金额", "成交金額",
            "거래대금", "売買代金", "turnover", "traded value", "value traded", "money",
        ),
    )
)  # fmt: skip
"""Columns that may hold the money traded, an earlier one before a later one: they say what volumes
are counted in, and nothing else."""
