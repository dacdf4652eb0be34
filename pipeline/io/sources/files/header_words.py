"""What columns are called in people's files: in English, by vendors, by exchanges elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

ALIASES: Mapping[str, tuple[str, ...]] = {
    "date": (
        "date", "session", "timestamp", "datetime", "day", "trading day", "trade date", "tradedate",
        "trading date", "quote date", "business date", "date1", "traddt", "dtyyyymmdd", "datum",
        "fecha", "data", "data pregão", "дата", "tarih", "tanggal", "ngày", "日期", "交易日期",
        "交易日", "日付", "日付け", "年月日", "일자", "날짜", "년/월/일", "التاريخ", "time",
        "open time", "timeopen", "snapped at", "unix", "index", "unnamed: 0", "index level 0",
    ),
    "symbol": (
        "symbol", "ticker", "name", "stock", "tic", "act symbol", "ticker symbol", "tckrsymb",
        "stock symbol",
    ),
    "open": (
        "open", "o", "open price", "opening price", "opening", "opnpric", "px open", "open prc",
        "eröffnung", "eröffn", "erster", "ouverture", "ouv", "apertura", "abertura", "otwarcie",
        "öppen", "öppningskurs", "откр", "открытие", "açılış", "pembukaan", "mở cửa", "开盘",
        "开盘价", "今开", "開盤價", "開盤", "始値", "시가", "الافتتاح",
    ),
    "high": (
        "high", "h", "high price", "highest", "highest price", "hghpric", "px high", "hoch",
        "tageshoch", "plus haut", "haut", "máximo", "máx", "massimo", "máxima", "max", "hoog",
        "hoogste", "najwyzszy", "najwyższy", "högsta", "högstakurs", "макс", "максимум", "yüksek",
        "tertinggi", "cao nhất", "最高", "最高价", "最高價", "高", "高値", "고가", "الأعلى",
    ),
    "low": (
        "low", "l", "low price", "lowest", "lowest price", "lwpric", "px low", "tief", "tagestief",
        "plus bas", "bas", "mínimo", "mín", "minimo", "mínima", "min", "laag", "laagste",
        "najnizszy", "najniższy", "lägsta", "lägstakurs", "мин", "минимум", "düşük", "terendah",
        "thấp nhất", "最低", "最低价", "最低價", "低", "安値", "저가", "الأدنى",
    ),
    "close": (
        "close", "c", "close/last", "close price", "closing price", "closing", "clspric", "schluss",
        "schlusskurs", "clôture", "cierre", "chiusura", "fechamento", "zamkniecie", "zamknięcie",
        "stängning", "stängningskurs", "slutkurs", "slot", "закрытие", "kapanış", "penutupan",
        "đóng cửa", "收盘", "收盘价", "收盤價", "收盤", "終値", "종가", "الإغلاق", "px last",
        "last", "last price", "zuletzt", "dernier", "último", "ultimo", "laatste", "senast", "цена",
        "şimdi", "terakhir", "lần cuối", "price",
    ),
    "volume": (
        "volume", "v", "vol", "shares traded", "volume traded", "total traded quantity",
        "tottrdqty", "ttltradgvol", "ttl trd qnty", "trade volume", "trading volume",
        "total volume", "no of shares", "px volume", "acvol uns", "acvol 1", "tickvol",
        "volumen", "volumes", "stuecke", "stücke", "wolumen", "volym", "объём", "объем", "hac",
        "hacim", "khối lượng", "成交量", "成交股數", "交易量", "出来高", "거래량", "الحجم",
    ),
    "adjusted_close": (
        "adj close", "adjusted close", "adjclose", "close adjusted", "adjustedclose", "closeadj",
        "adj close price", "adj close*", "adj close**", "調整後終値", "終値調整値", "수정종가",
    ),
    "split": (
        "split coefficient", "stock splits", "split factor", "splitfactor", "split ratio",
        "splitratio", "splitcoefficient", "stocksplits", "stock split", "split", "splits",
    ),
    "factor": (
        "adj factor", "adjfactor", "adjustment factor", "adjustmentfactor", "factor", "cfacpr",
        "facpr", "ajexdi", "split adjustment", "adj split", "split adj factor", "divisor", "bonus",
        "stock dividend", "stock dividends", "复权因子", "調整係数",
    ),
    "dividend": (
        "dividend", "dividends", "ex-dividend", "dividend amount", "divcash", "cash dividend",
        "dividendamount", "div cash",
    ),
    "exchange": ("exchange",),
    "sector": ("sector", "gics sector"),
    "series": ("series", "sctysrs"),
}  # fmt: skip
"""Names by field, as ``columns.plain`` writes them; an earlier one wins over a later one."""
