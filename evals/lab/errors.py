"""What can go wrong with the lab itself. Each message is one sentence that says what to do."""


class LabError(RuntimeError):
    """The lab cannot do what was asked."""


class LabBusy(LabError):
    """The directory holds a lab that is running or in use."""


class NoLab(LabError):
    """No lab is running in the directory."""


class PortTaken(LabError):
    """A service could not bind the port chosen for it."""
