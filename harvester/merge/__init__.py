"""Merge makes one union record of the members of a cluster: survivorship decides, marc writes it as MARC 21."""
