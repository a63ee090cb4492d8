"""Rows -> tuned weights."""
