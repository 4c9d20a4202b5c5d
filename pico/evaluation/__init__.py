"""What a trained model can do: suites of scored items, each beside what it is held against."""
