"""Architectures compared at the same cost."""
