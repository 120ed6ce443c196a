"""Serves one message with the group's identity, and no secret: pip install azure-identity azure-servicebus"""
import os

from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusClient

namespace = os.environ["SERVICE_BUS_NAMESPACE"]  # such as myns.servicebus.windows.net
is_local = namespace.startswith("127.0.0.1:")  # the local Azure has no TLS
with ServiceBusClient(namespace, DefaultAzureCredential(), use_tls=not is_local) as client:
    with client.get_subscription_receiver(os.environ["TOPIC"], os.environ["SUBSCRIPTION"]) as receiver:
        messages = receiver.receive_messages(max_message_count=1, max_wait_time=60)
        if not messages:
            raise SystemExit("no message came")
        for message in messages:
            size = message.application_properties[b"file_size_mb"]
            print(f"working on message {message.message_id}, a file of {size} MB", flush=True)
            receiver.complete_message(message)
            print(f"message {message.message_id} is settled", flush=True)
