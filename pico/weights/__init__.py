"""The weights of a model: saved, put back, and changed a little (LoRA)."""
