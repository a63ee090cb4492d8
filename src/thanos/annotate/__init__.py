"""Turns -> annotated turns, by a large language model: live or through batch files."""
