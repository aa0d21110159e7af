"""Static analysis of the contracts by Slither: `report` runs in Slither's own environment.

`explained.json` says of every finding why it stands; a test holds that there is no other. Slither
wants another web3 than ours, so it has an environment of its own (`.ci/run` makes it).
"""
