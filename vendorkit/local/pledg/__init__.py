"""The mock server of Pledg."""
