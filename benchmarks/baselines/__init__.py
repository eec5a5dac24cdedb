"""What the figures are compared with: the same work, done as a script or a plain SDK plugin does it."""
