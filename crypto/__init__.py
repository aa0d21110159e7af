"""Secret sharing and what carries it: field arithmetic, Shamir and its check, envelopes, digests.

The package knows arrays and bytes. It knows nothing of learning, of a database or of a chain;
whoever calls it hands in keys, contexts and vectors.
"""
