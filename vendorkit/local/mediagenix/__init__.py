"""The mock servers of Mediagenix On-Demand and Sequence."""
