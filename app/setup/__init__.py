"""The set-up: from a bare Python to an installed application. Standard library only.

`run.py` checks the Python version, then hands over to `start`, which reads the command line
(`commandline`), makes the environment (`environment`, `packages`, `lock`, `stamp`) and continues
in it; `doctor` looks at the machine (`checks`) and at optional programs (`programs`). The files
that run before the version is known (this one and `python_version`) keep to old syntax.
"""
