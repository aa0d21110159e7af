"""`run.py password NAME`: a new password for somebody, shown once."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from app.database import Database
from app.errors import RequestError
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.passwords import generate
from config import Settings


def password(args: argparse.Namespace) -> int:
    """Set and show it; all sessions of that person end. Raises RequestError for a stranger."""
    settings = Settings()
    settings.instance_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(Database(settings.database)) as database:
        database.migrate()
        accounts = Accounts(database, AuditLog(database))
        person = accounts.find_named(args.name)
        if person is None:
            raise RequestError(
                f"expected the name or e-mail address of one person, got {args.name}; "
                "the administrator's page People lists everybody. The first accounts are made when "
                "the server starts: python3 run.py"
            )
        fresh = generate()
        accounts.set_password(person.id, fresh)
    sys.stdout.write(f"{person.email}  {fresh}\n")
    return 0
