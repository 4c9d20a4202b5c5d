"""The audit of early stopping: what it saved and what it cost."""
