"""The HTTP interface: what browsers, widgets and machines speak to. It imports no app: it is given ports."""
