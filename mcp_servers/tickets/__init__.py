"""An embedded ticket desk on SQLite, and its MCP server."""
