#!/usr/bin/env python3
"""Compares a settings push with the app's settings, and keeps what is needed to undo it.

In:  SETTINGS_FILE         the push, as read-settings.py wrote it
     KEPT_FOLDER/all.json  the app's settings, as `az ... appsettings list` printed them
Out: KEPT_FOLDER/names     the names whose values change, one a line
     KEPT_FOLDER/old.json  the values that go, in the form that `az ... --settings @file` reads; where there are any
     KEPT_FOLDER/added     the names that are new, one a line; where there are any
     KEPT_FOLDER/stopped   where the function is disabled
     1 where a name is there in another case, which Azure would take for the same.
"""

import json
import os
import sys
from pathlib import Path

DISABLED = ("azurewebjobs_scaletimer_disabled", "azurewebjobs.scaletimer.disabled")


def main():
    folder = Path(os.environ["KEPT_FOLDER"])
    try:
        listed = json.loads((folder / "all.json").read_text(encoding="utf-8"))
    except ValueError:
        sys.exit("::error title=Settings not pushed::The app's settings cannot be read: az's answer is not JSON")
    there = {setting["name"]: setting["value"] or "" for setting in listed}
    pushed = {s["name"]: s["value"] for s in json.loads(Path(os.environ["SETTINGS_FILE"]).read_text(encoding="utf-8"))}
    spelt = {name.lower(): name for name in there}
    others = [f"{name} is there as {spelt[name.lower()]}" for name in pushed if spelt.get(name.lower(), name) != name]
    if others:
        sys.exit(f"::error title=Settings not pushed::The app has names in another case: {'; '.join(others)}")

    changed = [name for name, value in pushed.items() if there.get(name) != value]
    old = [{"name": name, "value": there[name]} for name in changed if name in there]
    (folder / "names").write_text(lines(changed))
    if old:
        (folder / "old.json").write_text(json.dumps(old))
    if len(old) < len(changed):
        (folder / "added").write_text(lines(name for name in changed if name not in there))
    if any(there[name].lower() in ("true", "1") for name in there if name.lower() in DISABLED):
        (folder / "stopped").touch()


def lines(names):
    return "".join(f"{name}\n" for name in names)


if __name__ == "__main__":
    main()
