"""What a trained model writes, how it sees tokens, what its heads and neurons do."""
