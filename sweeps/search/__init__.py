"""Configurations to try: candidates, samplers, early stopping, ranking."""
