"""The chain: Solidity sources, their compiled artefacts, and the only Python clients of both.

`chain` starts the embedded chain (or reaches another one), `ledger` speaks to the deployed
contract in typed calls, `records` and `digests` hold what they exchange, `errors` what they raise,
`compile` makes the artefacts. The package knows nothing of `crypto`, `fl` or `app`.
"""
