"""What a trained model writes and how it sees tokens."""
