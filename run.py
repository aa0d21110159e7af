"""The one entry of Consilium: `python3 run.py` sets the application up and starts it.

`python3 run.py --help` lists the commands. This file keeps to syntax that any Python 3 can read, so
that an unsupported one answers with a sentence; everything else is imported after that check.
"""

import os
import sys


def main() -> int:
    """Check the version of Python, then hand the command line to the set-up."""
    from app.setup.python_version import refusal

    sentence = refusal((sys.version_info[0], sys.version_info[1]))
    if sentence:
        sys.stderr.write(sentence + "\n")
        return 2
    from app.setup import start

    return start.main(sys.argv[1:], os.path.dirname(os.path.abspath(__file__)))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed by now. Taking numba and torch apart object by object would take seconds.
    os._exit(status)
