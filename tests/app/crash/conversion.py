"""Opens keys that lie in clear, in processes that die: `python -m tests.app.crash.conversion DIR`.

For each moment of it there is a fork that dies right there; each works in a folder of its own,
`DIR/0` and so on, until one gets through. Standard output tells, for each, its last action.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from itertools import count
from pathlib import Path

from app.services.keys import KeyRing
from tests.app.crash.actions import Actions, kill_self, watch_files
from tests.app.installations import settings_of

NAME = "Node 1"


def main() -> int:
    root = Path(sys.argv[1])
    ends = []
    for number in count():
        folder = root / str(number)
        shutil.copytree(root / "clear", folder)
        child = os.fork()
        if child == 0:
            live(folder, number)
        _, status = os.waitpid(child, 0)
        ends.append((folder.with_suffix(".log").read_text().splitlines() or [""])[-1])
        if os.waitstatus_to_exitcode(status) == 0:
            break
    sys.stdout.write(json.dumps(ends))
    return 0


def live(folder: Path, number: int) -> None:
    """Open the keys, and die before the action of that number."""
    log = folder.with_suffix(".log")
    log.touch()
    actions = Actions(log, kill_self, None, after=False, known=[])
    act = actions.around

    def around(what: str, do: object) -> object:
        if len(log.read_text().splitlines()) == number:
            kill_self()
        return act(what, do)  # type: ignore[arg-type]

    actions.around = around  # type: ignore[method-assign]
    watch_files(actions)
    try:
        KeyRing.of(settings_of(folder)).keys(NAME)
    except BaseException:  # noqa: BLE001, a fork must never go on as its parent
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
