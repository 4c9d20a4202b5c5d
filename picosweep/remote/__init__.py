"""Sweeps on a cluster, over ssh: sent there, looked at, and brought home."""
