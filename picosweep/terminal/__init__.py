"""What people see on a terminal: all that draws with Rich."""
