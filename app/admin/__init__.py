"""What the administrator of the federation does: people, trainings, and a look at both."""
