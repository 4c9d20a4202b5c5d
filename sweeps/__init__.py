"""Decides what to train, remembers what came of it, hands out the work."""
