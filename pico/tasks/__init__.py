"""What a model is trained for: its batches, its objective, its evaluation."""
