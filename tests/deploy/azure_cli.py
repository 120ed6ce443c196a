"""Lets the real Azure CLI read command lines that were recorded: azure_cli.py FILE

FILE holds a list of calls as tests/deploy/az records them. Each goes through the CLI's own parser and validators, as it
would if it were run; what stops there is Azure. Settings go further, through the CLI's own code for changing them,
with an app in memory that has two settings already. Prints a list: for each call its parsed arguments and, for
settings, what the app has afterwards. Fails on the first call that the CLI refuses.
"""

import json
import os
import sys
import tempfile
from unittest import mock

HOME = tempfile.mkdtemp()
os.environ |= {"AZURE_CONFIG_DIR": HOME, "AZURE_CORE_COLLECT_TELEMETRY": "0", "AZURE_CORE_SURVEY_MESSAGE": "0"}

from azure.cli.command_modules.appservice import custom  # noqa: E402
from azure.cli.core import get_default_cli  # noqa: E402
from azure.cli.core.commands import AzCliCommandInvoker  # noqa: E402

BEFORE = {"KEPT": "as it is", "ACI_IMAGE": "old"}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        calls = json.load(file)
    print(json.dumps([read(call) for call in calls], default=str))


def read(call):
    arguments = [with_file(argument, call["files"]) for argument in call["arguments"]]
    reached = []

    def stop_before_azure(_invoker, parsed, _command):
        reached.append(parsed)
        return None

    with mock.patch.object(AzCliCommandInvoker, "_run_job", stop_before_azure):
        try:
            code = get_default_cli().invoke(arguments, out_file=open(os.devnull, "w"))
        except SystemExit as stop:
            code = stop.code
    if code != 0 or len(reached) != 1:
        sys.exit(f"the Azure CLI refuses {call['arguments']}: {code}")
    parsed = reached[0]
    named = {name: value for name, value in vars(parsed).items() if not name.startswith("_")}
    after = apply_settings(parsed) if parsed.command == "functionapp config appsettings set" else None
    return {"parsed": named, "settings_after": after}


def with_file(argument, files):
    if argument not in files:
        return argument
    handle, path = tempfile.mkstemp(dir=HOME)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(files[argument])
    return f"@{path}"


def apply_settings(parsed):
    """What an app with the settings BEFORE has after the command."""
    app = mock.Mock(properties=dict(BEFORE))
    pushed = []

    def push(_cli, _group, _name, operation, settings, _slot, _client):
        assert operation == "update_application_settings", operation
        pushed.append(dict(settings.properties))
        return settings

    with mock.patch.multiple(
        custom,
        _generic_site_operation=lambda *_: app,
        _generic_settings_operation=push,
        web_client_factory=mock.Mock(),
        is_centauri_functionapp=lambda *_: False,
        check_language_runtime=lambda *_: None,
    ):
        custom.update_app_settings_functionapp(
            mock.Mock(), parsed.resource_group_name, parsed.name, parsed.settings, parsed.slot, parsed.slot_settings
        )
    (after,) = pushed
    return after


if __name__ == "__main__":
    main()
