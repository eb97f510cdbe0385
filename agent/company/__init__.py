"""The demo's company: a ticket page of its own, on an origin of its own, with the widget on it and things to break."""
