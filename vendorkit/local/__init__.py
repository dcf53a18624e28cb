"""The embedded local vendors: real HTTPS servers on loopback, written independently of the client."""
