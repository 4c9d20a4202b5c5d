"""A sweep's folder: journal, Parquet tables, checkpoints, and who holds it."""
