"""The models: versions of each task, which one is in use, putting another one into use."""
