// What the official JavaScript client expects of Service Bus administration, and of rules over AMQP, checked against
// the ones it is given.
//
// Arguments: a connection string, and one with a wrong key. The topic `files` has the subscriptions `all` and `other`,
// with one message each. Leaves the topic `made` with the subscriptions `by-rule` (blue, or large) and `plain`.
// Anything unexpected is an exception.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_HOME}/package.json`);
const { ServiceBusAdministrationClient, ServiceBusClient } = require("@azure/service-bus");

const [right, wrong] = process.argv.slice(2);
// The client always asks over TLS, which an emulator does not have.
const plain = {
  name: "plain",
  sendRequest(request, next) {
    request.url = request.url.replace("https://", "http://");
    request.allowInsecureConnection = true;
    return next(request);
  },
};
const connect = (connectionString) => {
  const client = new ServiceBusAdministrationClient(connectionString, { retryOptions: { maxRetries: 0 } });
  client.pipeline.addPolicy(plain);
  return client;
};
const client = connect(right);
const collect = async (iterator) => {
  const found = [];
  for await (const item of iterator) found.push(item);
  return found;
};
const coded = (code) => (error) => error.code === code || assert.fail(`${error.code}: ${error.message}`);

// Topics.
assert.equal((await client.getNamespaceProperties()).name, "local");
const made = await client.createTopic("made", { defaultMessageTimeToLive: "P2D", userMetadata: "<note>" });
assert.equal(made.name, "made");
assert.equal(made.userMetadata, "<note>");
await client.updateTopic({ ...made, userMetadata: "changed" });
assert.equal((await client.getTopic("MADE")).userMetadata, "changed");
assert.deepEqual((await collect(client.listTopics())).map((topic) => topic.name), ["files", "made"]);
assert.equal((await client.getTopicRuntimeProperties("files")).subscriptionCount, 2);
await assert.rejects(client.createTopic("made"), coded("MessageEntityAlreadyExistsError"));
await assert.rejects(client.getTopic("missing"), coded("MessageEntityNotFoundError"));
assert.equal(await client.topicExists("missing"), false);
await client.createTopic("gone");
await client.deleteTopic("gone");

// Subscriptions.
const names = (await collect(client.listSubscriptions("files"))).map((found) => found.subscriptionName);
assert.deepEqual(names, ["all", "other"]);
const runtime = await client.getSubscriptionRuntimeProperties("files", "all");
assert.deepEqual([runtime.activeMessageCount, runtime.totalMessageCount], [1, 1]);
const rule = { name: "first", filter: { sqlExpression: "color = 'none'" } };
const byRule = { lockDuration: "PT10S", maxDeliveryCount: 3, defaultRuleOptions: rule };
const subscription = await client.createSubscription("made", "by-rule", byRule);
assert.deepEqual([subscription.lockDuration, subscription.maxDeliveryCount], ["PT10S", 3]);
await client.updateSubscription({ ...subscription, maxDeliveryCount: 5 });
assert.equal((await client.getSubscription("made", "by-rule")).maxDeliveryCount, 5);
await client.createSubscription("made", "plain");
assert.equal(await client.subscriptionExists("made", "missing"), false);
await assert.rejects(client.createSubscription("made", "plain"), coded("MessageEntityAlreadyExistsError"));
await client.createSubscription("made", "gone");
await client.deleteSubscription("made", "gone");
for (let number = 0; number < 150; number++) await client.createSubscription("files", `page-${number}`);
assert.equal((await collect(client.listSubscriptions("files"))).length, 152, "lists come in pages");

// Rules over HTTP.
const properties = { color: "blue", ratio: 1.5, flag: true };
await client.createRule("made", "by-rule", "exact", { correlationId: "c", subject: "s", applicationProperties: properties });
const exact = (await client.getRule("made", "by-rule", "exact")).filter;
assert.deepEqual([exact.correlationId, exact.subject, exact.applicationProperties], ["c", "s", properties]);
const rules = (await collect(client.listRules("made", "by-rule"))).map((found) => found.name);
assert.deepEqual(rules, ["first", "exact"]);
const no = (expression) => client.createRule("made", "by-rule", "no", { sqlExpression: expression });
for (const refused of ["size >", "size > @least", "sys.Unknown = 1"]) await assert.rejects(no(refused), coded("ServiceError"));
await client.deleteRule("made", "by-rule", "exact");
await client.deleteRule("made", "by-rule", "first");

// Rules over AMQP.
const bus = new ServiceBusClient(right, { retryOptions: { maxRetries: 0, timeoutInMs: 8000 } });
const manager = bus.createRuleManager("made", "by-rule");
assert.deepEqual(await manager.getRules(), []);
await manager.createRule("large", { sqlExpression: "size >= 500" });
await manager.createRule("blue", { messageId: "m", applicationProperties: { color: "blue" } });
const found = await collect(manager.listRules());
assert.deepEqual(found.map((found) => found.name), ["large", "blue"]);
assert.equal(found[0].filter.sqlExpression, "size >= 500");
assert.deepEqual([found[1].filter.messageId, found[1].filter.applicationProperties], ["m", { color: "blue" }]);
await assert.rejects(manager.createRule("no", { sqlExpression: "size > @least" }), (error) => /not supported/.test(error.message));
await assert.rejects(manager.createRule("large", { sqlExpression: "1=1" }), coded("MessagingEntityAlreadyExists"));
await manager.deleteRule("blue");
await assert.rejects(manager.deleteRule("blue"), coded("MessagingEntityNotFound"));
await manager.createRule("blue", { applicationProperties: { color: "blue" } });
const everything = bus.createRuleManager("files", "all");
assert.deepEqual((await everything.getRules()).map((rule) => rule.filter.sqlExpression), ["1=1"]);
await bus.close();

// What is not allowed.
const stranger = connect(wrong);
await assert.rejects(stranger.getTopic("files"), coded("UnauthorizedRequestError"));
console.log("satisfied");
