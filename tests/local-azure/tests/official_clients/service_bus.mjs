// What the official JavaScript SDK expects of Service Bus, checked against the one it is given.
//
// Arguments: a connection string, and one with a wrong key. The topic `files` has the empty subscriptions `first`,
// `second` and `brief` (whose locks last a second); the topic `more` has `strict` (two deliveries at most, expired messages
// become dead letters) and `sessions` (which requires them). Anything unexpected is an exception.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_HOME}/package.json`);
const { ServiceBusClient } = require("@azure/service-bus");
const Long = require("long");

const [connectionString, wrong] = process.argv.slice(2);
const topic = "files";
const options = { retryOptions: { maxRetries: 0, timeoutInMs: 8000 } };
const wait = { maxWaitTimeInMs: 3000 };
const numbers = (messages) => messages.map((message) => message.sequenceNumber.toNumber());
const client = new ServiceBusClient(connectionString, options);

// Send: one, a list, a batch.
const sender = client.createSender(topic);
const applicationProperties = { file_size_mb: 50, double: 1.5, long: 2 ** 40, text: "x", bool: true, time: new Date() };
await sender.sendMessages({ body: { a: 1 }, messageId: 77, subject: "s", applicationProperties });
await sender.sendMessages([1, 2, 3].map((i) => ({ body: `list ${i}`, messageId: `l${i}` })));
const batch = await sender.createMessageBatch();
assert.equal(batch.maxSizeInBytes, 262144);
assert.ok(batch.tryAddMessage({ body: "batch", messageId: "b1" }));
assert.ok(batch.tryAddMessage({ body: "batch", messageId: "b2" }));
await sender.sendMessages(batch);

// Peek, from the start and from a sequence number, with and without bodies.
const first = client.createReceiver(topic, "first");
const page = await first.peekMessages(3);
assert.deepEqual(numbers(page), [1, 2, 3]);
assert.deepEqual(numbers(await first.peekMessages(10)), [4, 5, 6]);
assert.equal(page[0].messageId, 77);
assert.deepEqual(page[0].body, { a: 1 });
assert.equal(page[0].deliveryCount, 0);
assert.equal(page[0].applicationProperties.file_size_mb, 50);
assert.deepEqual(numbers(await first.peekMessages(2, { fromSequenceNumber: Long.fromNumber(2) })), [2, 3]);
assert.deepEqual(await first.peekMessages(1, { fromSequenceNumber: Long.fromNumber(100) }), []);
const from = { fromSequenceNumber: Long.fromNumber(1), omitMessageBody: true };
const bare = (await first.peekMessages(1, from))[0];
assert.equal(bare.body ?? null, null);
assert.equal(bare.applicationProperties.file_size_mb, 50);
assert.ok(bare._rawAmqpMessage.deliveryAnnotations["omitted-message-body-size"] > 0);

// Receive and settle in every way.
const [one, two, three, four] = await first.receiveMessages(4, wait);
assert.match(one.lockToken, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
assert.ok(one.lockedUntilUtc > new Date());
const before = two.lockedUntilUtc;
assert.ok((await first.renewMessageLock(two)) >= before);
await first.completeMessage(one);
await first.abandonMessage(two);
await first.deferMessage(three);
await first.deadLetterMessage(four, { deadLetterReason: "why", deadLetterErrorDescription: "because" });
const [again] = await first.receiveMessages(1, wait);
assert.deepEqual([...numbers([again]), again.deliveryCount], [2, 1]);
await first.completeMessage(again);
const deferred = await first.receiveDeferredMessages(Long.fromNumber(3));
assert.deepEqual(numbers(deferred), [3]);
await first.completeMessage(deferred[0]);
assert.deepEqual(numbers(await first.peekMessages(10, { fromSequenceNumber: Long.fromNumber(0) })), [5, 6]);
const dead = client.createReceiver(topic, "first", { subQueueType: "deadLetter" });
assert.deepEqual(numbers(await dead.peekMessages(10)), [4]);
const [letter] = await dead.receiveMessages(1, wait);
assert.deepEqual([letter.deadLetterReason, letter.deadLetterErrorDescription], ["why", "because"]);
await dead.completeMessage(letter);

// Receive and delete.
const second = client.createReceiver(topic, "second", { receiveMode: "receiveAndDelete" });
assert.deepEqual(numbers(await second.receiveMessages(2, wait)), [1, 2]);
assert.deepEqual(numbers(await second.peekMessages(1)), [3]);

// Lose a lock, and get the message again.
const brief = client.createReceiver(topic, "brief", { maxAutoLockRenewalDurationInMs: 0 });
const [held] = await brief.receiveMessages(1, wait);
let returned;
while (returned === undefined) {
  const received = await brief.receiveMessages(20, wait);
  returned = received.find((message) => message.sequenceNumber.equals(held.sequenceNumber));
}
assert.equal(returned.deliveryCount, 1);
await assert.rejects(brief.completeMessage(held), (error) => error.code === "MessageLockLost");
await brief.completeMessage(returned);

// Deliver too often, or too late.
const more = client.createSender("more");
const strict = client.createReceiver("more", "strict");
await more.sendMessages({ body: "x", messageId: "poison" });
for (const deliveries of [0, 1]) {
  const [poison] = await strict.receiveMessages(1, wait);
  assert.equal(poison.deliveryCount, deliveries);
  await strict.abandonMessage(poison);
}
await more.sendMessages({ body: "x", messageId: "late", timeToLive: 1 });
const [late] = await strict.peekMessages(1);
while (new Date() <= late.expiresAtUtc) await strict.peekMessages(1, { fromSequenceNumber: late.sequenceNumber });
assert.deepEqual(await strict.receiveMessages(1, { maxWaitTimeInMs: 1000 }), []);
const letters = await client.createReceiver("more", "strict", { subQueueType: "deadLetter" }).peekMessages(5);
assert.deepEqual(
  letters.map((letter) => [letter.messageId, letter.deadLetterReason]),
  [["poison", "MaxDeliveryCountExceeded"], ["late", "TTLExpiredException"]],
);

// Schedule, and cancel.
const due = new Date(Date.now() + 1000);
const scheduled = await more.scheduleMessages([{ body: "x", messageId: "kept" }, { body: "x", messageId: "cancelled" }], due);
await more.cancelScheduledMessages(scheduled[1]);
await assert.rejects(more.cancelScheduledMessages(scheduled[1]), (error) => error.code === "MessageNotFound");
const [kept] = await strict.receiveMessages(1, { maxWaitTimeInMs: 8000 });
assert.equal(kept.messageId, "kept");
assert.ok(kept.enqueuedTimeUtc >= due);
assert.deepEqual(kept.scheduledEnqueueTimeUtc, due);
await strict.completeMessage(kept);

// Sessions, which the local Service Bus does not have.
await assert.rejects(client.createReceiver("more", "sessions").receiveMessages(1, wait), /sessions/);
// This is what the client makes of every refusal here.
await assert.rejects(client.acceptSession("more", "sessions", "one"), (error) => error.code === "SessionCannotBeLocked");

// What does not exist, and what is not allowed.
const missing = client.createReceiver(topic, "missing").peekMessages(1);
await assert.rejects(missing, (error) => error.code === "MessagingEntityNotFound");
await assert.rejects(client.createSender("missing").sendMessages({ body: "x" }));
const stranger = new ServiceBusClient(wrong, options);
await assert.rejects(stranger.createReceiver(topic, "first").peekMessages(1), (error) => error.code === "UnauthorizedAccess");
await stranger.close();
await client.close();
console.log("satisfied");
