"""What a sweep asks of its models as they learn: texts, suites and probes."""
