"""The architectures that a sweep can name, and what each of them provides."""
