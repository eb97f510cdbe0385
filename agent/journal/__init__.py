"""What happened: append-only, hash-chained, written in the same transaction as the state it records."""
