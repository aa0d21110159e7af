"""What the application does, free of HTTP."""
