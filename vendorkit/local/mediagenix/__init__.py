"""The mock server of Mediagenix On-Demand and Sequence."""
