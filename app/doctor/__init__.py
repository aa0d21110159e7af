"""What a doctor does: ask the model in use about one patient."""
