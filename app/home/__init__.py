"""The first page: what Consilium is for strangers, and each role's own home."""
