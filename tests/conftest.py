"""What holds for all tests: this machine may be slow and shared, so no property test fails for its speed."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")
