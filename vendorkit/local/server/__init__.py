"""What the mock servers share: process, settings, authentication, faults, hypermedia."""
