"""Every single trial: texts, tokenizers, failures, incidents, environment."""
