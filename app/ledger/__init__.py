"""The pages of the ledger: what stands on it, who put it there, whether it agrees."""
