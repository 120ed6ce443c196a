#!/usr/bin/env python3
"""Prints the lines that a query of Application Insights has found, from its answer on standard input, as errors of the run:
each on one line, so that none of it is read as a command.
"""

import json
import sys

for (line,) in json.load(sys.stdin)["tables"][0]["rows"]:
    line = line.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=The scaler's log::{line}")
