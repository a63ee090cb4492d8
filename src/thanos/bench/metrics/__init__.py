"""Numbers with their intervals."""
