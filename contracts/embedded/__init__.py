"""The embedded chain: py-evm over SQLite, mining one block a transaction, in a process of its own.

`store` keeps bytes, blocks' transactions and logs; `evm` runs transactions on it; `methods` is the
JSON-RPC it speaks; `server` lets only this machine's programs in; `__main__` is the process.
Nothing that was answered is lost by SIGKILL: a block is one SQLite commit with synchronous=FULL.
"""

# Exit status (EX_TEMPFAIL) of a process that found the database locked by another one.
LOCKED = 75
# The file beside the database that says where the chain listens.
NOTICE = "chain.json"
