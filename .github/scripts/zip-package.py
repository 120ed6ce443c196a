#!/usr/bin/env python3
"""Zips a Function App: zip-package.py OUTPUT BINARY, from the repository's top.

The same files make the same zip, byte for byte: sorted, without times, owners or anything of this machine. The binary
may be executed by everyone (the host runs it under an account of its own, from a read-only folder where it cannot add
that bit itself), the other files are only read.
"""

import hashlib
import os
import stat
import sys
import zipfile
from pathlib import Path

# What host.json calls the binary.
BINARY_NAME = "aci-scaler"
# The earliest time that a zip can hold.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def main():
    output, binary = map(Path, sys.argv[1:3])
    files = {"host.json": Path("host.json"), BINARY_NAME: binary}
    files |= {path.as_posix(): path for path in Path("ScaleTimer").rglob("*") if path.is_file()}
    partial = output.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name, path in sorted(files.items()):
            package.writestr(entry(name), path.read_bytes())
    partial.replace(output)
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    print(f"{output}: {output.stat().st_size} bytes, SHA-256 {digest}")


def entry(name):
    info = zipfile.ZipInfo(name, NO_TIME)
    info.create_system = 3  # Unix, so that the bits below count
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | (0o755 if name == BINARY_NAME else 0o644)) << 16
    return info


if __name__ == "__main__":
    main()
