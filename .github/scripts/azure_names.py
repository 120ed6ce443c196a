#!/usr/bin/env python3
"""What Azure accepts as the names of a Function App and of a resource group, and with it nothing that az would take for
an option or for a file (`@name`). As a program it checks FUNCTION_APP_NAME and RESOURCE_GROUP of its environment, and
says which is wrong.
"""

import os
import re
import sys

FUNCTION_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]")
# Letters and digits of any script.
RESOURCE_GROUP = re.compile(r"[\w.()-]{0,89}[\w()-]")


def main():
    for variable, pattern, meaning in (
        ("FUNCTION_APP_NAME", FUNCTION_APP, "a Function App"),
        ("RESOURCE_GROUP", RESOURCE_GROUP, "a resource group"),
    ):
        if not pattern.fullmatch(os.environ.get(variable, "")):
            sys.exit(f"The input {variable.lower()} is missing or is not the name of {meaning}")


if __name__ == "__main__":
    main()
