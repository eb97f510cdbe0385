"""A report that locks the table it reads and then does not come back: its connection stays, its transaction stays open.

It ends when the database ends its session, or when the lab's supervisord stops it.
"""

from __future__ import annotations

import argparse
import sys

import psycopg
from psycopg import sql


def main() -> int:
    """Lock the table and wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("host", "port", "dbname", "user", "passfile", "table", "application"):
        parser.add_argument(f"--{option}", required=True)
    given = parser.parse_args()
    try:
        with psycopg.connect(
            host=given.host,
            port=given.port,
            dbname=given.dbname,
            user=given.user,
            passfile=given.passfile,
            application_name=given.application,
        ) as connection:
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(given.table)))
            print("table locked, waiting", flush=True)
            for _ in connection.notifies():  # Blocks on the socket; nobody ever notifies.
                continue
    except psycopg.Error as error:
        print(f"session ended: {str(error).splitlines()[0]}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
