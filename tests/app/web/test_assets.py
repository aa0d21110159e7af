"""What pages load: every file is there, and its address changes with its contents."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from tests.app.web.conftest import Site

LOADED = re.compile(r'(?:href|src)="(/static/[^"]+)"')


def test_files_of_a_page_are_there_and_kept_by_digest(site: Site, repository: Path) -> None:
    alice = site.browser("administrator")
    addresses = LOADED.findall(alice.get("/admin/users").text)
    assert len(addresses) >= 6
    for address in addresses:
        name, digest = address.split("?v=")
        contents = (repository / name.removeprefix("/")).read_bytes()
        assert sha256(contents).hexdigest().startswith(digest)
        answer = alice.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


def test_vendored_folders_hold_their_licences(repository: Path) -> None:
    folders = [folder for folder in (repository / "static/vendor").iterdir() if folder.is_dir()]
    assert len(folders) == 4
    for folder in folders:
        assert [file for file in folder.iterdir() if file.name.startswith("LICENSE")], folder
        assert f"`{folder.name}/`" in (repository / "static/vendor/README.md").read_text("utf-8")
