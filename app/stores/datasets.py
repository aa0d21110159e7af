"""Imported data on disk: files for the owner alone, each whole or not there at all.

`fl.datasets.imported` reads what stands here. A file that is being looked over lies in
`drafts/TOKEN/` until it is imported or given up. Of an imported one stays, as long as drafts stay,
what it became: neither its rows nor what was chosen.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from app.models.base import now
from app.stores.party_files import PartyFiles
from fl.datasets import BUILT_IN
from fl.datasets.description import Description
from fl.datasets.imported import ROWS, TASKS, Catalogue, Origin, folder_name

KEPT = timedelta(days=1)
MOST_DRAFTS = 20

_DRAFTS = "drafts"
_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Draft:
    """An uploaded file and what was chosen for it so far, by step; `owner` is a person's id.

    `became` is the task for which it was imported, "" before.
    """

    token: str
    owner: int
    file: str
    sha256: str
    size: int
    made_at: str
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    became: str = ""

    def chosen(self, step: str) -> Mapping[str, str]:
        """The fields of a step as they were sent; none before it was filled in."""
        return self.choices.get(step, {})


class DatasetFiles:
    """The folder of imported data of one installation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def _files(self) -> PartyFiles:
        """The folder, made on first use: most installations import nothing."""
        return PartyFiles(self._folder)

    def catalogue(self) -> Catalogue:
        """What was imported, for reading."""
        return Catalogue(self._folder, BUILT_IN)

    def begin(self, owner: int, file: str, content: bytes) -> Draft:
        """Keep an uploaded file; drafts older than a day, and the oldest of very many, go."""
        self.tidy(MOST_DRAFTS - 1)
        digest = sha256(content).hexdigest()
        token = secrets.token_hex(16)
        draft = Draft(token, owner, file, digest, len(content), now().isoformat())
        # First what says how old the file is, so that none is left behind for ever.
        self.save(draft)
        self._files.replace(f"{_DRAFTS}/{draft.token}/file.csv", content)
        return draft

    def save(self, draft: Draft) -> None:
        """Keep the choices of a draft."""
        body = json.dumps(asdict(draft), sort_keys=True).encode()
        self._files.replace(f"{_DRAFTS}/{draft.token}/draft.json", body)

    def find(self, token: str) -> Draft | None:
        """The draft of that token, or None."""
        if not _TOKEN.fullmatch(token):
            return None
        body = self._files.get(f"{_DRAFTS}/{token}/draft.json")
        return None if body is None else Draft(**json.loads(body))

    def drafts(self, owner: int) -> list[Draft]:
        """A person's drafts that are not imported yet, the newest first."""
        return [one for one in self._drafts() if one.owner == owner and not one.became]

    def content(self, draft: Draft) -> bytes:
        """The uploaded file."""
        return self._files.get(f"{_DRAFTS}/{draft.token}/file.csv") or b""

    def finish(self, draft: Draft, task: str) -> None:
        """Note for which task a draft was imported; its file and choices go."""
        self.save(replace(draft, choices={}, became=task))
        self._files.erase(f"{_DRAFTS}/{draft.token}/file.csv")

    def give_up(self, draft: Draft) -> None:
        """Forget a draft and its file."""
        self._files.erase(f"{_DRAFTS}/{draft.token}")

    def add_rows(self, task: str, origin: Origin, content: bytes) -> None:
        """Keep a hospital's rows; they count once their origin stands beside them."""
        key = f"{ROWS}/{task}/{folder_name(origin.hospital)}"
        self._files.replace(f"{key}.csv", content)
        self._files.replace(f"{key}.json", origin.to_json().encode())

    def add_task(self, description: Description) -> None:
        """Keep a task's description; from now on there is such a task."""
        self._files.replace(f"{TASKS}/{description.name}.json", description.text.encode())

    def remove_rows(self, task: str, hospital: str) -> None:
        """Erase a hospital's rows; first what makes them count."""
        key = f"{ROWS}/{task}/{folder_name(hospital)}"
        self._files.erase(f"{key}.json")
        self._files.erase(f"{key}.csv")

    def remove_task(self, task: str) -> None:
        """Erase a task's description, then its hospitals' rows."""
        self._files.erase(f"{TASKS}/{task}.json")
        self._files.erase(f"{ROWS}/{task}")

    def tidy(self, most: int = MOST_DRAFTS) -> None:
        """Erase drafts that are older than a day, and the oldest beyond `most`."""
        for at, draft in enumerate(self._drafts(), start=1):
            old = datetime.fromisoformat(draft.made_at) < now() - KEPT
            if old or at > most:
                self.give_up(draft)

    def _drafts(self) -> list[Draft]:
        folders = list((self._folder / _DRAFTS).glob("*"))
        found = [draft for path in folders if (draft := self.find(path.name)) is not None]
        return sorted(found, key=lambda one: one.made_at, reverse=True)


def with_choices(draft: Draft, step: str, fields: Mapping[str, str]) -> Draft:
    """The draft with what was sent of a step."""
    return replace(draft, choices={**draft.choices, step: dict(fields)})
