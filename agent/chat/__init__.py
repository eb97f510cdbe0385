"""Questions about an incident, recognised and answered from its own evidence, without a language model."""
