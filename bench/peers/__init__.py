"""What `bench.verification` compares: one task, and an engine a file that computes it.

Each engine runs as a process of its own, in the environment that has its packages, and answers
requests (`serve.py`) until its input ends.
"""
