"""What one trained trial can be asked: what it writes, what its attention does."""
