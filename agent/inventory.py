"""Reading the inventory from its file; what it means stands in core/estate.py."""

from __future__ import annotations

from pathlib import Path

import yaml

from agent.core.errors import CountersignError
from agent.core.estate import Estate, estate_from_inventory


def load_estate(path: Path) -> Estate:
    """Read the inventory. Raises CountersignError when it cannot be used."""
    try:
        return estate_from_inventory(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CountersignError(f"the inventory {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CountersignError(f"the inventory {path} is not valid YAML: {error}") from error
    except (AttributeError, TypeError) as error:
        raise CountersignError(f"the inventory {path} has another shape than docs/inventory.md describes") from error
