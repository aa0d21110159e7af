"""Three parties compute on Shamir shares, each honest but curious: none learns more than is opened.

A party's part in a computation is a generator: it yields what it sends and is sent what it
received, in rounds that all three keep. See `session` for a party's state, `channel` for a driver,
and `multiply`, `compare`, `truncate` and `layers` for what can be computed.
"""
