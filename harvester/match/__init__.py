"""Match: which records describe the same manifestation, and why; pure functions over batches, no SQL.

The way of a record: `profile` takes what matching needs, `keys` proposes candidates, `compare.decide` judges a
pair, `cluster.solve` groups. All of them read one `Rules` (mappings/rules/match.yaml). To compare one more thing,
add one file to `comparisons/` and give its outcomes points in match.yaml.
"""
