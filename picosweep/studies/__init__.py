"""Shipped experiments: sweeps, what is claimed of them, and pages that their numbers write."""
