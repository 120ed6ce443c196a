"""What the official Python SDK expects of Service Bus, checked against the one it is given.

Arguments: a connection string, and one with a wrong key. The topic `files` has the empty subscriptions `first`,
`second` and `brief` (whose locks last a second); the topic `more` has `strict` (two deliveries at most, expired messages
become dead letters) and `sessions` (which requires them). Anything unexpected is an exception.
"""

import asyncio
import base64
import datetime
import hashlib
import hmac
import sys
import urllib.parse
import uuid

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

TOPIC = "files"
PROPERTIES = {
    "file_size_mb": 50,
    "long": {"TYPE": "LONG", "VALUE": 2**40},
    "double": 1.5,
    "bool": True,
    "text": "text",
    "uuid": uuid.UUID(int=7),
    "time": datetime.datetime(2030, 1, 2, tzinfo=datetime.timezone.utc),
}


def numbers(messages):
    return [message.sequence_number for message in messages]


def raises(kinds, action):
    try:
        action()
    except kinds:
        return
    raise AssertionError(f"{kinds} expected")


def send(client):
    with client.get_topic_sender(TOPIC) as sender:
        sender.send_messages(ServiceBusMessage("one", message_id="m1", application_properties=PROPERTIES, subject="s"))
        sender.send_messages([ServiceBusMessage(f"list {i}", message_id=f"l{i}") for i in range(3)])
        batch = sender.create_message_batch()
        assert batch.max_size_in_bytes == 262144, batch.max_size_in_bytes
        for i in range(3):
            batch.add_message(ServiceBusMessage(f"batch {i}", message_id=f"b{i}"))
        sender.send_messages(batch)


def peek_and_settle(client):
    with client.get_subscription_receiver(TOPIC, "first") as receiver:
        page = receiver.peek_messages(max_message_count=4)
        assert numbers(page) == [1, 2, 3, 4], numbers(page)
        assert numbers(receiver.peek_messages(max_message_count=10)) == [5, 6, 7]
        assert numbers(receiver.peek_messages(max_message_count=2, sequence_number=3)) == [3, 4]
        assert receiver.peek_messages(max_message_count=1, sequence_number=100) == []
        first = page[0]
        assert (first.message_id, str(first), first.delivery_count, first.subject) == ("m1", "one", 0, "s")
        assert first.enqueued_time_utc is not None
        found = {key.decode(): value for key, value in first.application_properties.items()}
        assert found["file_size_mb"] == 50 and found["long"] == 2**40 and found["bool"] is True, found

        one, two, three, four = receiver.receive_messages(max_message_count=4, max_wait_time=5)
        assert one.locked_until_utc > datetime.datetime.now(datetime.timezone.utc)
        assert isinstance(one.lock_token, uuid.UUID)
        before = two.locked_until_utc
        assert receiver.renew_message_lock(two) >= before
        receiver.complete_message(one)
        receiver.abandon_message(two)
        receiver.defer_message(three)
        receiver.dead_letter_message(four, reason="why", error_description="because")

        again = receiver.receive_messages(max_message_count=1, max_wait_time=5)[0]
        assert (again.sequence_number, again.delivery_count) == (2, 1), (again.sequence_number, again.delivery_count)
        receiver.complete_message(again)
        deferred = receiver.receive_deferred_messages([3])
        assert numbers(deferred) == [3]
        receiver.complete_message(deferred[0])
        assert numbers(receiver.peek_messages(max_message_count=10, sequence_number=1)) == [5, 6, 7]

    with client.get_subscription_receiver(TOPIC, "first", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        letter = dead.receive_messages(max_message_count=1, max_wait_time=5)[0]
        assert (letter.dead_letter_reason, letter.dead_letter_error_description) == ("why", "because")
        dead.complete_message(letter)


def receive_and_delete(client):
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_subscription_receiver(TOPIC, "second", receive_mode=mode) as receiver:
        got = numbers(receiver.receive_messages(max_message_count=2, max_wait_time=5))
        assert got == [1, 2], got
        assert numbers(receiver.peek_messages(max_message_count=1)) == [3]


def lose_a_lock(client):
    with client.get_subscription_receiver(TOPIC, "brief") as receiver:
        first = receiver.receive_messages(max_message_count=1, max_wait_time=5)[0]
        while datetime.datetime.now(datetime.timezone.utc) <= first.locked_until_utc:
            again = receiver.receive_messages(max_message_count=20, max_wait_time=1)
        raises(MessageLockLostError, lambda: receiver.complete_message(first))
        raises(MessageLockLostError, lambda: receiver.renew_message_lock(first))
        received = again or receiver.receive_messages(max_message_count=20, max_wait_time=3)
        returned = [message for message in received if message.sequence_number == first.sequence_number]
        assert not returned or returned[0].delivery_count == 1, returned


def peek(client, subscription):
    with client.get_subscription_receiver(TOPIC, subscription) as receiver:
        receiver.peek_messages()


def fail(client, wrong):
    raises(MessagingEntityNotFoundError, lambda: peek(client, "missing"))
    # The service refuses a token about a topic that is not there, which the SDK takes for a refusal of the token.
    raises(ServiceBusAuthenticationError, lambda: client.get_topic_sender("missing").__enter__())
    refused = (ServiceBusAuthenticationError, ServiceBusAuthorizationError)
    with ServiceBusClient.from_connection_string(wrong, retry_total=0) as stranger:
        raises(refused, lambda: peek(stranger, "first"))


def dead_letters(client):
    with client.get_topic_sender("more") as sender, client.get_subscription_receiver("more", "strict") as receiver:
        sender.send_messages(ServiceBusMessage("poison", message_id="poison"))
        for delivery in range(2):
            (message,) = receiver.receive_messages(max_message_count=1, max_wait_time=5)
            assert message.delivery_count == delivery, message.delivery_count
            receiver.abandon_message(message)
        sender.send_messages(ServiceBusMessage("late", message_id="late", time_to_live=datetime.timedelta(seconds=1)))
        (late,) = receiver.peek_messages()
        while datetime.datetime.now(datetime.timezone.utc) <= late.expires_at_utc:
            receiver.peek_messages(sequence_number=late.sequence_number)
        assert receiver.receive_messages(max_message_count=1, max_wait_time=1) == []
    with client.get_subscription_receiver("more", "strict", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        peeked = [(letter.message_id, letter.dead_letter_reason) for letter in dead.peek_messages(max_message_count=5)]
        assert peeked == [("poison", "MaxDeliveryCountExceeded"), ("late", "TTLExpiredException")], peeked
        for letter in dead.receive_messages(max_message_count=2, max_wait_time=5):
            dead.complete_message(letter)


def schedule(client):
    with client.get_topic_sender("more") as sender, client.get_subscription_receiver("more", "strict") as receiver:
        due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
        messages = [ServiceBusMessage(name, message_id=name) for name in ("kept", "cancelled")]
        kept, cancelled = sender.schedule_messages(messages, due)
        assert kept < cancelled, (kept, cancelled)
        sender.cancel_scheduled_messages(cancelled)
        raises(ServiceBusError, lambda: sender.cancel_scheduled_messages(cancelled))
        assert receiver.peek_messages() == []
        (message,) = receiver.receive_messages(max_message_count=2, max_wait_time=10)
        assert message.message_id == "kept" and message.enqueued_time_utc >= due - datetime.timedelta(milliseconds=1)
        receiver.complete_message(message)


def refuse_sessions(client):
    for options in ({}, {"session_id": "one"}):
        try:
            with client.get_subscription_receiver("more", "sessions", **options) as receiver:
                receiver.receive_messages(max_wait_time=1)
        except ServiceBusError as error:
            assert "session" in str(error), error
        else:
            raise AssertionError("the local Service Bus has no sessions")


def expire(connection_string):
    parts = dict(part.split("=", 1) for part in connection_string.split(";"))
    resource, expiry = urllib.parse.quote_plus(parts["Endpoint"]), 1_700_000_000
    digest = hmac.new(parts["SharedAccessKey"].encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote_plus(base64.b64encode(digest))
    token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={parts['SharedAccessKeyName']}"
    expired = f"Endpoint={parts['Endpoint']};SharedAccessSignature={token};UseDevelopmentEmulator=true"
    with ServiceBusClient.from_connection_string(expired, retry_total=0) as client:
        raises((ServiceBusAuthenticationError, ServiceBusAuthorizationError), lambda: peek(client, "first"))


async def asynchronously(connection_string):
    async with AsyncServiceBusClient.from_connection_string(connection_string, retry_total=0) as client:
        async with client.get_topic_sender(TOPIC) as sender:
            await sender.send_messages([ServiceBusMessage(f"async {i}") for i in range(2)])
        async with client.get_subscription_receiver(TOPIC, "first") as receiver:
            assert numbers(await receiver.peek_messages(max_message_count=2)) == [5, 6]
            messages = await receiver.receive_messages(max_message_count=2, max_wait_time=5)
            assert numbers(messages) == [5, 6], numbers(messages)
            for message in messages:
                await receiver.renew_message_lock(message)
                await receiver.complete_message(message)


def main(connection_string, wrong):
    with ServiceBusClient.from_connection_string(connection_string, retry_total=0) as client:
        send(client)
        peek_and_settle(client)
        receive_and_delete(client)
        lose_a_lock(client)
        dead_letters(client)
        schedule(client)
        refuse_sessions(client)
        fail(client, wrong)
    expire(connection_string)
    asyncio.run(asynchronously(connection_string))
    print("satisfied")


main(*sys.argv[1:])
