"""Compiled loops of the engine: no validation, no randomness, no Python object.

Arrays are flat or have the batch innermost, so that the loops vectorise. Arrays of type `RECEIVED`
are read-only: they are views of a message's bytes.
"""
