"""What the official Python client expects of Service Bus administration, checked against the one it is given.

Arguments: a connection string, and one with a wrong key. The topic `files` has the subscriptions `all` and `other`,
with one message each. Leaves the topic `made` with the subscriptions `by-rule` (blue, or large) and `plain`. Anything
unexpected is an exception.
"""

import datetime
import sys

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.servicebus.management import (
    CorrelationRuleFilter,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)


class PlainTransport(RequestsTransport):
    """The client always asks over TLS, which an emulator does not have."""

    def send(self, request, **options):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **options)


def connect(connection_string):
    return ServiceBusAdministrationClient.from_connection_string(
        connection_string, transport=PlainTransport(), retry_total=0
    )


def raises(kind, action):
    try:
        action()
    except kind as error:
        return error
    raise AssertionError(f"{kind} expected")


def topics(client):
    assert client.get_namespace_properties().name == "local"
    assert [topic.name for topic in client.list_topics()] == ["files"]
    made = client.create_topic("made", default_message_time_to_live=datetime.timedelta(days=2), user_metadata="<note>")
    assert made.default_message_time_to_live == datetime.timedelta(days=2), made.default_message_time_to_live
    assert client.get_topic("made").user_metadata == "<note>"
    made.user_metadata = "changed"
    client.update_topic(made)
    assert client.get_topic("MADE").user_metadata == "changed"
    runtime = client.get_topic_runtime_properties("files")
    assert (runtime.name, runtime.subscription_count) == ("files", 2)
    raises(ResourceExistsError, lambda: client.create_topic("made"))
    assert client.create_topic("partitioned", enable_partitioning=True).enable_partitioning
    assert client.get_topic("partitioned").enable_partitioning
    client.delete_topic("partitioned")
    raises(HttpResponseError, lambda: client.create_topic("strict", requires_duplicate_detection=True))
    raises(ResourceNotFoundError, lambda: client.get_topic("missing"))
    client.create_topic("gone")
    client.delete_topic("gone")
    raises(ResourceNotFoundError, lambda: client.delete_topic("gone"))
    assert [topic.name for topic in client.list_topics()] == ["files", "made"]
    assert list(client.list_queues()) == []


def subscriptions(client):
    assert [found.name for found in client.list_subscriptions("files")] == ["all", "other"]
    runtime = client.get_subscription_runtime_properties("files", "all")
    assert (runtime.active_message_count, runtime.dead_letter_message_count, runtime.total_message_count) == (1, 0, 1)
    assert [found.active_message_count for found in client.list_subscriptions_runtime_properties("files")] == [1, 1]

    brief = datetime.timedelta(seconds=10)
    made = client.create_subscription("made", "by-rule", lock_duration=brief, max_delivery_count=3, requires_session=False)
    assert (made.lock_duration, made.max_delivery_count, made.status) == (brief, 3, "Active"), made
    made.max_delivery_count = 5
    made.dead_lettering_on_message_expiration = True
    client.update_subscription("made", made)
    found = client.get_subscription("made", "by-rule")
    assert (found.max_delivery_count, found.dead_lettering_on_message_expiration, found.lock_duration) == (5, True, brief)
    client.create_subscription("made", "plain")
    raises(ResourceExistsError, lambda: client.create_subscription("made", "plain"))
    assert client.create_subscription("made", "forwarding", forward_to="files").forward_to.endswith("/files")
    client.delete_subscription("made", "forwarding")
    raises(HttpResponseError, lambda: client.create_subscription("made", "x", forward_dead_lettered_messages_to="files"))
    raises(ResourceNotFoundError, lambda: client.get_subscription("made", "missing"))
    raises(ResourceNotFoundError, lambda: client.create_subscription("missing", "any"))
    client.create_subscription("made", "gone")
    client.delete_subscription("made", "gone")
    for number in range(150):
        client.create_subscription("files", f"page-{number:03}")
    assert len(list(client.list_subscriptions("files"))) == 152, "lists come in pages"


def rules(client):
    (default,) = client.list_rules("made", "by-rule")
    assert (default.name, type(default.filter)) == ("$Default", TrueRuleFilter), default
    client.delete_rule("made", "by-rule", "$Default")
    properties = {"color": "blue", "number": 7, "large": 2**40, "ratio": 1.5, "flag": True}
    correlation = CorrelationRuleFilter(correlation_id="c", label="l", message_id="m", properties=properties)
    client.create_rule("made", "by-rule", "exact", filter=correlation)
    exact = client.get_rule("made", "by-rule", "exact").filter
    assert (exact.correlation_id, exact.label, exact.message_id, exact.properties) == ("c", "l", "m", properties), exact
    blue = client.create_rule("made", "by-rule", "blue", filter=CorrelationRuleFilter(properties={"color": "red"}))
    blue.filter = CorrelationRuleFilter(properties={"color": "blue"})
    client.update_rule("made", "by-rule", blue)
    expression = "size >= 500 AND \"color\" <> '<&>'"
    client.create_rule("made", "by-rule", "large", filter=SqlRuleFilter(expression))
    assert client.get_rule("made", "by-rule", "large").filter.sql_expression == expression
    names = [rule.name for rule in client.list_rules("made", "by-rule")]
    assert names == ["exact", "blue", "large"], names
    raises(ResourceExistsError, lambda: client.create_rule("made", "by-rule", "large", filter=TrueRuleFilter()))
    for refused in ("size >", "size > @least", "sys.Unknown = 1"):
        error = raises(HttpResponseError, lambda: client.create_rule("made", "by-rule", "no", filter=SqlRuleFilter(refused)))
        assert error.status_code == 400, error
    raises(HttpResponseError, lambda: client.create_rule("made", "by-rule", "no", action=SqlRuleAction("SET a = 1")))
    raises(ResourceNotFoundError, lambda: client.delete_rule("made", "by-rule", "missing"))
    client.delete_rule("made", "by-rule", "exact")


def main(right, wrong):
    with connect(right) as client:
        topics(client)
        subscriptions(client)
        rules(client)
    with connect(wrong) as stranger:
        raises(ClientAuthenticationError, lambda: stranger.get_topic("files"))
    print("satisfied")


main(*sys.argv[1:])
