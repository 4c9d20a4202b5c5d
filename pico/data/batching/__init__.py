"""Training batches by step number, and the fixed validation set."""
