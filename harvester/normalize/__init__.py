"""Normalize: a parsed record and a mapping file become a NormalizedRecord, with every repair visible.

`mapping.for_source` picks and compiles the mapping, `apply.normalize` runs it. To add a mapping function, add one
file to `functions/`; to add a mapping or a preset, add one YAML file to `mappings/`.
"""
