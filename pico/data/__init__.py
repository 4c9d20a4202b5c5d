"""From text to tokens on disk, once, and from tokens to batches."""
