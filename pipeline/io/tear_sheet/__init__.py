"""The tear sheet of a backtest: a self-contained HTML page, and its pictures."""
