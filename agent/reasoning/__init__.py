"""Reasoning over evidence. It sees read-only facts and returns a verdict; it holds no tool and no key."""
