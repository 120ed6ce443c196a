#!/usr/bin/env python3
"""Masks the values of a settings push in the run's log, before the first step whose `env:` would print them.

In:  GITHUB_EVENT_PATH  the event; it holds the inputs of workflow_dispatch and the payload of repository_dispatch.
                        Of a workflow_call it does not: the runner has printed such inputs by then.
"""

import json
import os

# A shorter value (true, 8, info) is no secret, and masking it would blank out ordinary words.
SHORTEST_SECRET = 6


def main():
    with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as file:
        event = json.load(file)
    request = event.get("client_payload") or event.get("inputs") or {}
    given = request.get("app_settings_json") if isinstance(request, dict) else None
    for secret in sorted(set(secrets(given))):
        for line in secret.splitlines():
            if len(line.strip()) >= SHORTEST_SECRET:
                print(f"::add-mask::{line.replace('%', '%25')}")


def secrets(given):
    """Every form in which the runner may print a value: plain, and inside JSON inside JSON."""
    if isinstance(given, str):
        yield from forms(given)
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return
    if isinstance(given, dict):
        for value in given.values():
            yield from forms(value if isinstance(value, str) else json.dumps(value))


def forms(text):
    for _ in range(3):
        yield text
        text = json.dumps(text, ensure_ascii=False)[1:-1]


if __name__ == "__main__":
    main()
