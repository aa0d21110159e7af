"""What only a simulation can compute: comparisons that need every hospital's data in one place."""
