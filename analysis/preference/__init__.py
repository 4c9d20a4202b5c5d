"""Preference training: how often the chosen one wins, and how far from the reference."""
