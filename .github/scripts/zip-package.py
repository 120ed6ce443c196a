#!/usr/bin/env python3
"""Zips a Function App: zip-package.py OUTPUT BINARY [SCHEDULE], from the repository's top.

The schedule, an NCRONTAB expression, takes the place of the one in the repository.

The same files make the same zip, byte for byte: sorted, without times, owners or anything of this machine. The binary
may be executed by everyone (the host runs it under an account of its own, from a read-only folder where it cannot add
that bit itself), the other files are only read.
"""

import hashlib
import json
import os
import re
import stat
import sys
import zipfile
from pathlib import Path

# The binary's name in host.json.
BINARY_NAME = "aci-scaler"
# The file with the schedule.
TIMER = "ScaleTimer/function.json"
# The earliest time in a zip.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def main():
    output, binary = map(Path, sys.argv[1:3])
    schedule = "".join(sys.argv[3:4])
    files = {"host.json": Path("host.json"), BINARY_NAME: binary}
    files |= {path.as_posix(): path for path in Path("ScaleTimer").rglob("*") if path.is_file()}
    partial = output.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name, path in sorted(files.items()):
            content = path.read_bytes()
            if schedule and name == TIMER:
                content = scheduled(content, schedule)
            package.writestr(entry(name), content)
    partial.replace(output)
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    print(f"{output}: {output.stat().st_size} bytes, SHA-256 {digest}")


def scheduled(function, schedule):
    """A timer's function.json with another schedule."""
    fields = schedule.split()
    if len(fields) != 6 or not all(re.fullmatch(r"[0-9A-Za-z*,/-]+", field) for field in fields):
        sys.exit(f"error: {schedule!r} is no NCRONTAB expression of six fields, such as */15 * * * * *")
    function = json.loads(function)
    (timer,) = function["bindings"]
    timer["schedule"] = schedule
    # The host keeps no record of timers that fire more often than once a minute.
    timer["useMonitor"] = fields[0].isdigit()
    return (json.dumps(function, indent=2) + "\n").encode()


def entry(name):
    info = zipfile.ZipInfo(name, NO_TIME)
    info.create_system = 3  # Unix, so that the bits below count
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | (0o755 if name == BINARY_NAME else 0o644)) << 16
    return info


if __name__ == "__main__":
    main()
