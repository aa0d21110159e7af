"""What every page goes through: access by role, sessions, headers, limits, errors, the frame."""
