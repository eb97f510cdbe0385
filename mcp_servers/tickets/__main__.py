"""python -m mcp_servers.tickets --database PATH: serve, or with create, resolve or seed do what a person would do."""

from __future__ import annotations

import sys

from mcp_servers.tickets import cli

if __name__ == "__main__":
    if any(command in sys.argv[1:] for command in cli.COMMANDS):
        cli.main()
    else:
        # Imported only here: the server's libraries take a second that a ticket written by hand need not wait for.
        from mcp_servers.tickets.serve import main

        main()
