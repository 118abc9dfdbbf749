"""Four sample libraries on loopback, with the differences and faults that real partners show.

Start with `sample.Sample` (what `induk demo` drives) or `simulator.Simulator` (what the tests drive). The package
stands beside the pipeline: it imports no stage and no stage imports it. A new partner is one file in `partners/`,
a new fault one function in `faults.py`, a new server habit one flag in `quirks.py`, a new book one entry in `titles/`.
"""
