"""The report's first chapter: the answer, how sure it is, and what was spent."""
