"""The mock server of Medipim."""
