"""The pages of the data: what each hospital holds, and new hospitals and tasks by CSV."""
