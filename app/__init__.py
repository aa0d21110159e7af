"""The application: what a person starts, and from a later version on what a browser reaches.

Importing this package imports nothing from outside the standard library, because `run.py` needs
`app.setup` before anything is installed; for the same reason this file keeps to syntax that an old
Python can read.
"""
