"""From a vendor's credentials to a typed DataFrame in one line."""
