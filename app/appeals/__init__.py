"""The appeals: what rejected hospitals asked for, and what administrators decide."""
