#!/usr/bin/env python3
"""Reads a settings push, reports everything that is wrong with it, and writes the changes.

In:  GITHUB_EVENT_PATH  the event, with the inputs of workflow_dispatch or the payload of repository_dispatch
     CALL_INPUTS        the inputs of workflow_call, as JSON, in whose runs the event is ignored
     CALL_SETTINGS      its secret app_settings_json
     SETTINGS_FILE      where the settings go, in the form that `az ... --settings @file` reads
     GITHUB_OUTPUT      receives function_app_name, resource_group, restart_app and rollback_on_failure
Out: 0, or 1 with every reason found. Nothing that is printed holds a setting's value, but for the commands that mask them.
"""

import json
import os
import re
import sys

sys.dont_write_bytecode = True
import azure_names  # noqa: E402
import push_request  # noqa: E402
from push_request import Pairs  # noqa: E402

IMAGE = re.compile("[^\\s\0\ud800-\udfff]+")
# Names that every Linux app's environment can hold; Azure rewrites others.
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Names that steer the Functions host, the platform, the loader or the targets of tokens and requests: with one of them a push
# could run its own code in the app or receive the app's tokens. The containers' variables (INSTANCE_*) are not among them.
RESERVED = re.compile(
    r"(?!INSTANCE_)(?:(?:AzureWebJobs|AzureFunctions|FUNCTIONS_|WEBSITE_|WEBSITES_|SCM_|APPLICATIONINSIGHTS_|OTEL_"
    r"|IDENTITY_|MSI_|DOTNET_|ASPNETCORE_|CORECLR_|COMPlus_|LD_|SSL_CERT_).*"
    r"|.*_PROXY|PATH|HOME|AZURE_RESOURCE_MANAGER_ENDPOINT|AZURE_AUTHORITY_HOST|AZURE_FEDERATED_TOKEN_FILE)",
    re.IGNORECASE,
)


def main():
    try:
        request = push_request.read()
    except push_request.Unreadable as unreadable:
        refuse([str(unreadable)])
    push_request.hide(request)
    problems = []
    for name in sorted(set(request) - set(push_request.KNOWN)):
        warn(f"{quote(name)} is not an input and is ignored; the inputs are {', '.join(push_request.KNOWN)}")
    outputs = {
        "function_app_name": text(request, "function_app_name", azure_names.FUNCTION_APP, "the name of a Function App", problems),
        "resource_group": text(request, "resource_group", azure_names.RESOURCE_GROUP, "the name of a resource group", problems),
        "restart_app": flag(request, "restart_app", problems),
        "rollback_on_failure": flag(request, "rollback_on_failure", problems),
    }
    image = text(request, "aci_image", IMAGE, "an image without spaces", problems)
    settings = {"ACI_IMAGE": image} | app_settings(request.get("app_settings_json"), problems)
    if problems:
        refuse(problems)
    write(os.environ["SETTINGS_FILE"], json.dumps([{"name": n, "value": v} for n, v in settings.items()]))
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())


def text(request, name, pattern, meaning, problems):
    """A required input."""
    value = request.get(name)
    if value is None or value == "":
        problems.append(f"the input {name} is missing")
    elif type(value) is not str or not pattern.fullmatch(value):
        problems.append(f"the input {name} is not {meaning}")
    return value


def flag(request, name, problems):
    """An input that is `true` unless it says `false`."""
    value = request.get(name)
    value = "true" if value in (None, "") else str(value).lower()
    if value not in ("true", "false"):
        problems.append(f"the input {name} is neither true nor false")
    return value


def app_settings(given, problems):
    """The settings in app_settings_json, all of them text."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    if isinstance(given, str):
        try:
            given = push_request.parse(given)
        except (ValueError, RecursionError) as error:
            problems.append(f"the input app_settings_json is not JSON: {error}")
            return {}
    if not isinstance(given, Pairs):
        problems.append("the input app_settings_json is JSON, but not an object of names and values")
        return {}
    settings, taken = {}, {"aci_image": "ACI_IMAGE"}
    for name, value in given:
        problem = problem_with(name, value, taken)
        if problem:
            problems.append(f"app_settings_json: {quote(name)} {problem}")
        else:
            taken[name.lower()] = name
            settings[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return settings


def problem_with(name, value, taken):
    """What is wrong with one setting, if anything."""
    if not SETTING_NAME.fullmatch(name):
        return "is a bad name: letters, digits and _ are accepted, and no digit first"
    if RESERVED.fullmatch(name):
        return "is reserved: it steers the app's host, not the scaler; whoever owns the app can set it by hand"
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


def refuse(problems):
    for problem in problems:
        print(f"::error title=Settings not pushed::{escape(problem)}")
    sys.exit(1)


def write(path, content):
    """Writes a file that only this user can read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)


def warn(message):
    print(f"::warning title=Settings push::{escape(message)}")


def quote(name):
    """A name from outside, on one line and cut."""
    return json.dumps(name if len(name) <= 80 else name[:80] + "…")


def escape(message):
    """Keeps a message from being read as a workflow command."""
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    main()
