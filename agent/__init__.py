"""Countersign: from ticket to verified fix, and nothing runs that a person did not countersign."""

import os

# Before anything imports LangGraph: checkpoints are read as plain data only (CVE-2026-28277).
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
