#!/usr/bin/env python3
"""Reads a settings push, refuses what is wrong with it, and writes what is to be changed.

In:  REQUEST_INPUTS   the workflow's inputs, as JSON (workflow_dispatch, workflow_call)
     REQUEST_PAYLOAD  the event's client_payload, as JSON (repository_dispatch)
     SETTINGS_FILE    where the settings go, in the form that `az ... --settings @file` reads
     NAMES_FILE       where the names of the changed settings go, one a line
     GITHUB_OUTPUT    receives function_app_name, resource_group and restart_app
Out: 0, or 1 with every reason found. Nothing that is printed holds a setting's value.
"""

import json
import os
import re
import sys

REQUIRED = ("function_app_name", "resource_group", "aci_image")
KNOWN = (*REQUIRED, "app_settings_json", "restart_app")

# What Azure accepts, and with it nothing that az would take for an option or for a file (`@name`).
FUNCTION_APP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]")
RESOURCE_GROUP = re.compile(r"[\w.()-]{0,89}[\w()-]")
# What every Linux app's environment can hold; Azure rewrites other names.
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Number(str):
    """A JSON number as it was written: 1.50 stays 1.50."""


class Pairs(list):
    """A JSON object with its duplicates."""


def main():
    request = read_request(os.environ)
    problems = []
    for name in sorted(set(request) - set(KNOWN)):
        warn(f"{quote(name)} is not an input and is ignored; the inputs are {', '.join(KNOWN)}")
    app = text(request, "function_app_name", FUNCTION_APP_NAME, "the name of a Function App", problems)
    group = text(request, "resource_group", RESOURCE_GROUP, "the name of a resource group", problems)
    image = text(request, "aci_image", re.compile(r"\S+"), "an image without spaces", problems)
    restart = restart_app(request, problems)
    settings = {"ACI_IMAGE": image} | app_settings(request.get("app_settings_json"), problems)
    if problems:
        for problem in problems:
            print(f"::error title=Settings not pushed::{escape(problem)}")
        sys.exit(1)
    write(os.environ["SETTINGS_FILE"], json.dumps([{"name": n, "value": v} for n, v in settings.items()]))
    write(os.environ["NAMES_FILE"], "".join(f"{name}\n" for name in settings))
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as outputs:
        outputs.write(f"function_app_name={app}\nresource_group={group}\nrestart_app={restart}\n")


def read_request(environment):
    """The inputs if this run has them, else the payload."""
    inputs = json.loads(environment.get("REQUEST_INPUTS") or "null") or {}
    payload = json.loads(environment.get("REQUEST_PAYLOAD") or "null")
    if any(inputs.get(name) for name in REQUIRED) or not isinstance(payload, dict):
        return inputs
    return payload


def text(request, name, pattern, meaning, problems):
    """A required input."""
    value = request.get(name)
    if value is None or value == "":
        problems.append(f"the input {name} is missing")
    elif not isinstance(value, str) or not pattern.fullmatch(value):
        problems.append(f"the input {name} is not {meaning}")
    return value


def restart_app(request, problems):
    """Whether to restart, as `true` or `false`."""
    value = request.get("restart_app")
    value = "true" if value in (None, "") else str(value).lower()
    if value not in ("true", "false"):
        problems.append("the input restart_app is neither true nor false")
    return value


def app_settings(given, problems):
    """The settings in app_settings_json, all of them text."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    try:
        pairs = json.loads(
            given if isinstance(given, str) else json.dumps(given),
            object_pairs_hook=Pairs,
            parse_int=Number,
            parse_float=Number,
            parse_constant=refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        problems.append(f"the input app_settings_json is not JSON: {error}")
        return {}
    if not isinstance(pairs, Pairs):
        problems.append("the input app_settings_json is JSON, but not an object of names and values")
        return {}
    settings, taken = {}, {"aci_image": "ACI_IMAGE"}
    for name, value in pairs:
        problem = problem_with(name, value, taken)
        if problem:
            problems.append(f"app_settings_json: {quote(name)} {problem}")
        else:
            taken[name.lower()] = name
            settings[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return settings


def problem_with(name, value, taken):
    """What is wrong with one setting, if anything is."""
    if not SETTING_NAME.fullmatch(name):
        return "is a bad name: letters, digits and _ are accepted, and no digit first"
    if name.upper() == "ACI_IMAGE":
        return "is given by the input aci_image"
    if name.lower() in taken:
        return f"is there twice (Azure takes it for the same as {taken[name.lower()]})"
    if isinstance(value, list):
        return "has a nested value; pass JSON as text, with its quotes escaped"
    if value is None:
        return "is null; a push adds and changes settings, it removes none"
    if "\0" in str(value) or any("\ud800" <= character <= "\udfff" for character in str(value)):
        return "has a value that no environment variable can hold (NUL or half a character)"
    return None


def refuse_constant(name):
    raise ValueError(f"{name} is no JSON value")


def write(path, content):
    """Writes a file that nobody else on the machine can read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)


def warn(message):
    print(f"::warning title=Settings push::{escape(message)}")


def quote(name):
    """A name that came from outside, on one line and not endless."""
    return json.dumps(name if len(name) <= 80 else name[:80] + "…")


def escape(message):
    """Keeps a message from being read as a command of its own."""
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    main()
