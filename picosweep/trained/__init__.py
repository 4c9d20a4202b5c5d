"""What trained trials can be asked: what they write, what they can do, and how they do it."""
