"""From a data configuration to tokens on disk: read, split, encode."""
