"""Approvals: a person decides, and a process of its own signs. The only holder of the signing key."""
