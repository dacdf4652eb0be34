"""The tear sheet of a backtest: a self-contained HTML page, and its figures.

The way of its data: a backtest, its forecasts, a ``MarketContext`` and a ``SheetHeader``
(``context``) become the frames of a ``Sheet`` (``contents``), those become sections with tables and
figures, and all of it one ``Page`` of HTML text and PNG bytes (``page``).
"""
