"""What a person writes to describe a sweep, read and checked."""
