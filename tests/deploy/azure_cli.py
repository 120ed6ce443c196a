"""Lets the real Azure CLI read command lines that were recorded: azure_cli.py FILE

FILE holds a list of calls as tests/deploy/az records them. Each goes through the CLI's own parser and validators, as it
would if it were run; what stops there is Azure. Settings and role assignments go further, through the CLI's own code for
listing, changing and deleting them, with an app in memory that has two settings already, and assignments of two principals.
Prints a list: for each call its parsed arguments, what the CLI's code answers, and what there is afterwards. Fails on the
first call that the CLI refuses.
"""

import json
import os
import re
import sys
import tempfile
from unittest import mock

HOME = tempfile.mkdtemp()
os.environ |= {"AZURE_CONFIG_DIR": HOME, "AZURE_CORE_COLLECT_TELEMETRY": "0", "AZURE_CORE_SURVEY_MESSAGE": "0"}

from azure.cli.command_modules.appservice import custom  # noqa: E402
from azure.cli.command_modules.role import custom as roles  # noqa: E402
from azure.cli.core import get_default_cli  # noqa: E402
from azure.cli.core.commands import AzCliCommandInvoker  # noqa: E402

SETTINGS = {"KEPT": "as it is", "ACI_IMAGE": "old"}
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
PRINCIPAL, OTHER = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000f"
# By the scope of each, and whose it is. None is at the subscription itself.
ASSIGNMENTS = {
    f"{SUBSCRIPTION}{scope}/providers/Microsoft.Authorization/roleAssignments/{name}": (f"{SUBSCRIPTION}{scope}", principal)
    for scope, name, principal in [
        ("/resourceGroups/containers-rg", "1", PRINCIPAL),
        ("/resourceGroups/messaging-rg/providers/Microsoft.ServiceBus/namespaces/n/topics/t", "2", PRINCIPAL),
        ("/resourceGroups/containers-rg", "3", OTHER),
    ]
}


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
    return {"parsed": named, "answer": carry_out(parsed), "settings_after": dict(SETTINGS), "assignments_after": list(ASSIGNMENTS)}


def with_file(argument, files):
    if argument not in files:
        return argument
    handle, path = tempfile.mkstemp(dir=HOME)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(files[argument])
    return f"@{path}"


def carry_out(parsed):
    """What the CLI's own code does and answers, where Azure is only what is in memory here."""
    match parsed.command.removeprefix("functionapp config appsettings "):
        case "list":
            return on_app(custom.get_app_settings, parsed.resource_group_name, parsed.name)
        case "set":
            to = (parsed.resource_group_name, parsed.name, parsed.settings, parsed.slot, parsed.slot_settings)
            return on_app(custom.update_app_settings_functionapp, *to)
        case "delete":
            return on_app(custom.delete_app_settings, parsed.resource_group_name, parsed.name, parsed.setting_names)
        case "role assignment list" | "role assignment delete" as command:
            function = roles.list_role_assignments if command.endswith("list") else roles.delete_role_assignments
            names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
            return on_assignments(function, {name: getattr(parsed, name) for name in names if hasattr(parsed, name)})
    return None


def on_app(function, *arguments):
    """Calls a function of the CLI about an app with SETTINGS."""

    def push(_cli, _group, _name, operation, settings, _slot, _client):
        assert operation == "update_application_settings", operation
        pushed = dict(settings.properties)
        SETTINGS.clear()
        SETTINGS.update(pushed)
        return settings

    with mock.patch.multiple(
        custom,
        _generic_site_operation=lambda *_: mock.Mock(properties=dict(SETTINGS)),
        _generic_settings_operation=push,
        web_client_factory=mock.Mock(),
        is_centauri_functionapp=lambda *_: False,
        is_flex_functionapp=lambda *_: True,
        check_language_runtime=lambda *_: None,
    ):
        return function(mock.Mock(), *arguments)


def on_assignments(function, arguments):
    """Calls a function of the CLI about a subscription with ASSIGNMENTS."""

    def found(scope=None, filter=None):
        whose = re.fullmatch(r"principalId eq '(.*)'", filter) if filter and "principalId" in filter else None
        return [
            mock.Mock(id=identity, scope=at, principal_id=principal)
            for identity, (at, principal) in ASSIGNMENTS.items()
            if (not whose or whose[1] == principal) and (not scope or scope.lower().startswith(at.lower()))
        ]

    client = mock.Mock()
    client._config.subscription_id = SUBSCRIPTION.rpartition("/")[2]
    client.list_for_subscription.side_effect = lambda filter=None: found(filter=filter)
    client.list_for_scope.side_effect = lambda scope, filter=None: found(scope, filter)
    client.delete_by_id.side_effect = lambda identity: ASSIGNMENTS.pop(identity, None)
    client.list.return_value = []
    factory = mock.Mock(role_assignments=client, role_definitions=client)
    with mock.patch.multiple(
        roles,
        _auth_client_factory=lambda *_: factory,
        _graph_client_factory=mock.Mock(),
        _resolve_object_id=lambda _cli, assignee, **_: assignee,
        _role_assignment_to_dict=lambda it: {"id": it.id, "roleDefinitionId": "", "principalId": it.principal_id, "scope": it.scope},
    ):
        try:
            return function(mock.Mock(), **arguments)
        except Exception as refusal:
            sys.exit(f"the Azure CLI fails with {arguments}: {refusal}")


if __name__ == "__main__":
    main()
