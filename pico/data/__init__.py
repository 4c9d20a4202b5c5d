"""Text to tokens on disk, once, and tokens to batches."""
