"""Running code that nobody has read: confined processes that give back values, never verdicts."""
