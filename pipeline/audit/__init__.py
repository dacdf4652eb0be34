"""Checks for leaks: what is stored, learned and served must follow from what was known before."""
