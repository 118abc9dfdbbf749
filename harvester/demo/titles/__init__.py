"""The works of the sample as YAML, one file a field; a package so that the wheel carries them."""
