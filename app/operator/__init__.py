"""The pages of a hospital's operator: what is approved by hand, and what was."""
