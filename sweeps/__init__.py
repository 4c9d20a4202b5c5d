"""Decides what to train, remembers what came of it, hands out the work."""

if __name__ != "picosweep.sweeps":
    raise ImportError("this package is picosweep.sweeps: no module has two names")
