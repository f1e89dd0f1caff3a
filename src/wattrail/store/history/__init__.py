"""Energy that other programs counted, read from their own files: a module for each format."""
