"""The stations of the path, one function a file. Each may run twice; none holds authority."""
