"""Bars from your own CSV or Parquet files."""
