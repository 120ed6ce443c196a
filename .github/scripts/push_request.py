"""A request for a settings push: its source, and how its values stay out of the run's log.

No value may pass through a step's `env:` or arguments, which the runner prints. A dispatched run finds the request in the
event's file. A called one does not, since the event is its caller's: GitHub prints its inputs itself, so that they hold
names alone, and masks its secrets, of which the settings are one.
"""

import json
import os
import re
import sys

# Not secret: masking these would hide what the log is about.
PLAIN = ("function_app_name", "resource_group", "aci_image", "restart_app", "rollback_on_failure")
KNOWN = (*PLAIN[:3], "app_settings_json", *PLAIN[3:])

# A shorter value (true, 8, info) is no secret, and masking it would blank out ordinary words.
SHORTEST_SECRET = 6
HALF_A_CHARACTER = re.compile("[\ud800-\udfff]+")


class Number(str):
    """A JSON number as it was written: 1.50 stays 1.50."""


class Pairs(list):
    """A JSON object with its duplicates."""


class Unreadable(Exception):
    """The request cannot be read."""


def read():
    """The request's members by name, with every value as it was written."""
    if inputs := os.environ.get("CALL_INPUTS"):
        return dict(parse(inputs)) | {"app_settings_json": os.environ.get("CALL_SETTINGS")}
    try:
        with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as file:
            event = dict(parse(file.read()))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the event cannot be read: {error}") from None
    request = event.get("client_payload", event.get("inputs")) or Pairs()
    if not isinstance(request, Pairs):
        raise Unreadable("the payload is not an object of names and values")
    return dict(request)


def parse(text):
    """JSON without loss."""
    return json.loads(
        text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=refuse_constant
    )


def hide(request):
    """Masks every value of a request, wherever in it the value is."""
    sys.stdout.reconfigure(encoding="utf-8")
    secrets = {form for name, value in request.items() if name not in PLAIN for form in forms(value)}
    lines = {line for secret in secrets for part in HALF_A_CHARACTER.split(secret) for line in part.splitlines()}
    for line in sorted(lines):
        if len(line.strip()) >= SHORTEST_SECRET:
            print(f"::add-mask::{line.replace('%', '%25')}")


def forms(value):
    """Every form in which a program may print a value: plain, and inside JSON inside JSON."""
    if isinstance(value, (Pairs, list)):
        for item in value:
            yield from forms(item[1] if isinstance(value, Pairs) else item)
    elif isinstance(value, str):
        text = value
        for _ in range(3):
            yield text
            text = json.dumps(text, ensure_ascii=False)[1:-1]
        if isinstance(value, Number):
            return
        try:
            inner = parse(value)
        except (ValueError, RecursionError):
            return
        if not isinstance(inner, str):
            yield from forms(inner)


def refuse_constant(name):
    raise ValueError(f"{name} is no JSON value")
