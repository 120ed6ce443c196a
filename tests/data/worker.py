"""Serves one message: pip install azure-servicebus; cargo local serve --worker python3 --worker-arg worker.py"""
import os

from azure.servicebus import ServiceBusClient

with ServiceBusClient.from_connection_string(os.environ["SERVICE_BUS_CONNECTION_STRING"]) as client:
    with client.get_subscription_receiver(os.environ["TOPIC"], os.environ["SUBSCRIPTION"]) as receiver:
        messages = receiver.receive_messages(max_message_count=1, max_wait_time=60)
        if not messages:
            raise SystemExit("no message came")
        for message in messages:
            size = message.application_properties[b"file_size_mb"]
            print(f"working on message {message.message_id}, a file of {size} MB", flush=True)
            receiver.complete_message(message)
            print(f"message {message.message_id} is settled", flush=True)
