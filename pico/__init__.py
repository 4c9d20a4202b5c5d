"""Training and reading of one very small language model: plain PyTorch, usable without Ray."""

if __name__ != "picosweep.pico":
    raise ImportError("this package is picosweep.pico: no module has two names")
