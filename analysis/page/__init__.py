"""The HTML page: its frame, its style, and the figures that chapters hand it."""
