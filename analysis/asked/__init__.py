"""What trained models were asked: scores of suites, attention, token tables, neurons."""
