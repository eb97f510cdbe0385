"""Read-only checks of the services in an inventory, as MCP tools."""
