"""Trains and reads one very small language model: plain PyTorch, usable without Ray."""
