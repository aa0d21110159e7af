"""What a doctor holds of patients: sealed, and opened with colleagues only."""
