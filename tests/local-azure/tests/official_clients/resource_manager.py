"""What the official Python clients expect of Azure Resource Manager, checked against the one they are given.

Arguments: its endpoint, the identity endpoint and its header, a subscription, a resource group, and a Service Bus
namespace with a topic that has the subscriptions `large`, `medium` and `small`, with one message each. Containers run
until they are stopped. Anything unexpected is an exception.
"""

import json
import sys
import urllib.request

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.containerinstance.models import (
    Container,
    ContainerGroup,
    EnvironmentVariable,
    Resource,
    ResourceRequests,
    ResourceRequirements,
)
from azure.mgmt.servicebus import ServiceBusManagementClient

# The clients' own switch for tokens over plain HTTP, which they take with every call.
PLAIN = {"enforce_https": False}


class ManagedIdentity:
    """A credential that asks the identity endpoint of an App Service."""

    def __init__(self, endpoint, header):
        self.endpoint, self.header = endpoint, header

    def get_token(self, *scopes, **_):
        resource = scopes[0].removesuffix("/.default")
        url = f"{self.endpoint}?api-version=2019-08-01&resource={resource}"
        request = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": self.header})
        with urllib.request.urlopen(request, timeout=10) as response:
            token = json.load(response)
        return AccessToken(token["access_token"], int(token["expires_on"]))


class Stranger:
    def get_token(self, *_, **__):
        return AccessToken("of-nobody", 2**40)


def group():
    variables = [EnvironmentVariable(name="QUEUE", value="q"), EnvironmentVariable(name="KEY", secure_value="secret")]
    resources = ResourceRequirements(requests=ResourceRequests(memory_in_gb=1.5, cpu=1.0))
    worker = Container(name="worker", image="local/worker:1", resources=resources, environment_variables=variables)
    return ContainerGroup(
        location="westeurope", tags={"size": "small"}, containers=[worker], os_type="Linux", restart_policy="Never"
    )


def raises(kind, status, action):
    try:
        action()
    except kind as error:
        assert error.status_code == status, error
        return error
    raise AssertionError(f"{kind} expected")


def state(groups, name):
    shown = groups.get(resource_group, name, **PLAIN)
    return shown.instance_view.state, shown.containers[0].instance_view.current_state.state


def live(client):
    groups, containers = client.container_groups, client.containers
    names = ["worker-1", "worker-2", "worker-3"]
    for name in names:
        poller = groups.begin_create_or_update(resource_group, name, group(), polling_interval=0.05, **PLAIN)
        made = poller.result(timeout=20)
        assert made.provisioning_state == "Succeeded", made.provisioning_state
        assert made.containers[0].environment_variables[1].secure_value is None
        # The operation may have succeeded a moment before the containers run.
        assert state(groups, name) == ("Running", "Running"), state(groups, name)

    listed = list(groups.list_by_resource_group(resource_group, **PLAIN))
    assert [item.name for item in listed] == names
    assert all(item.instance_view is None and item.containers[0].instance_view is None for item in listed)
    assert all(item.provisioning_state == "Succeeded" for item in listed)

    patched = groups.update(resource_group, "worker-1", Resource(tags={"size": "large", "new": "yes"}), **PLAIN)
    assert patched.tags == {"size": "large", "new": "yes"}, patched.tags
    assert state(groups, "worker-1") == ("Running", "Running"), "a change of tags does not restart anything"

    log = containers.list_logs(resource_group, "worker-1", "worker", tail=1, **PLAIN)
    assert log.content == "waiting to be told to exit\n", log.content
    assert containers.list_logs(resource_group, "worker-1", "worker", timestamps=True, **PLAIN).content.endswith(log.content)

    usages = {usage.name.value: usage for usage in client.location.list_usage("westeurope", **PLAIN)}
    assert (usages["ContainerGroups"].current_value, usages["StandardCores"].current_value) == (3, 3), usages

    groups.stop(resource_group, "worker-1", **PLAIN)
    assert state(groups, "worker-1") == ("Stopped", "Terminated")
    groups.begin_start(resource_group, "worker-1", polling_interval=0.05, **PLAIN).result(timeout=20)
    assert state(groups, "worker-1") == ("Running", "Running")
    groups.begin_restart(resource_group, "worker-1", polling_interval=0.05, **PLAIN).result(timeout=20)
    assert state(groups, "worker-1") == ("Running", "Running")

    deleted = groups.begin_delete(resource_group, "worker-1", polling_interval=0.05, **PLAIN).result(timeout=20)
    assert deleted.name == "worker-1"
    assert groups.begin_delete(resource_group, "worker-1", polling_interval=0.05, **PLAIN).result(timeout=20) is None


def fail(client, stranger):
    groups = client.container_groups
    for action in (lambda: groups.get(resource_group, "gone", **PLAIN), lambda: groups.stop(resource_group, "gone", **PLAIN)):
        assert raises(ResourceNotFoundError, 404, action).error.code == "ResourceNotFound"
    too_big = group()
    too_big.containers[0].resources.requests.memory_in_gb = 4096
    error = raises(HttpResponseError, 409, lambda: groups.begin_create_or_update(resource_group, "big", too_big, **PLAIN))
    assert error.error.code == "ServiceUnavailable", error
    raises(ClientAuthenticationError, 401, lambda: stranger.container_groups.get(resource_group, "worker-2", **PLAIN))


def topics(client):
    subscriptions = client.subscriptions
    listed = list(subscriptions.list_by_topic(resource_group, namespace, topic, **PLAIN))
    assert [(item.name, item.count_details.active_message_count) for item in listed] == [
        ("large", 1), ("medium", 1), ("small", 1)
    ]
    one = subscriptions.get(resource_group, namespace, topic, "small", **PLAIN)
    assert (one.name, one.status, one.requires_session) == ("small", "Active", False), one
    raises(ResourceNotFoundError, 404, lambda: subscriptions.get(resource_group, namespace, topic, "none", **PLAIN))


endpoint, identity, header, subscription, resource_group, namespace, topic = sys.argv[1:]
options = {"base_url": endpoint, "credential_scopes": ["https://management.azure.com/.default"], "retry_total": 0}
credential = ManagedIdentity(identity, header)
aci = ContainerInstanceManagementClient(credential, subscription, **options)
live(aci)
fail(aci, ContainerInstanceManagementClient(Stranger(), subscription, **options))
topics(ServiceBusManagementClient(credential, subscription, **options))
print("satisfied")
