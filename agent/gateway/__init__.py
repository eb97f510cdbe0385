"""The way out: MCP sessions with pinned tools, time limits and caps. Nothing here decides, and nothing here signs."""
