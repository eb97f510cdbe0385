"""The way in for tickets, and the way back: notes that are due are written to the ticket, once."""
