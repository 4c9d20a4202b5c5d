"""Learning curves and how the loss falls with parameters, tokens and FLOPs."""
