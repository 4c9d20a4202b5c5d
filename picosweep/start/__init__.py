"""What one begins with: settings explained, the schema, shipped specs, a first spec of your own."""
