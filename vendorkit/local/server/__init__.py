"""What all mock servers have in common: process, settings, authentication, faults."""
