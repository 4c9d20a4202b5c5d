"""The queue: what was submitted, on disk before it is answered, and the drivers that run it."""
