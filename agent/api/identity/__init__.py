"""Who asks, and what they may: sign-in, sessions, tokens, keys, and the permission that each route declares."""
