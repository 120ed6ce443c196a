// What the official JavaScript client expects of container instances, checked against the ones it is given.
//
// Arguments: the endpoint of Resource Manager, the identity endpoint and its header, a subscription and a resource
// group. Containers run until they are stopped. Anything unexpected is an exception.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_HOME}/package.json`);
const { ContainerInstanceManagementClient } = require("@azure/arm-containerinstance");

const [endpoint, identity, header, subscription, resourceGroup] = process.argv.slice(2);
const poll = { updateIntervalInMs: 50 };
const managedIdentity = {
  async getToken(scopes) {
    const resource = [scopes].flat()[0].replace("/.default", "");
    const url = `${identity}?api-version=2019-08-01&resource=${resource}`;
    const response = await fetch(url, { headers: { "X-IDENTITY-HEADER": header } });
    const token = await response.json();
    return { token: token.access_token, expiresOnTimestamp: Number(token.expires_on) * 1000 };
  },
};
const stranger = { getToken: async () => ({ token: "of-nobody", expiresOnTimestamp: Date.now() + 1e7 }) };
const options = {
  endpoint,
  credentialScopes: ["https://management.azure.com/.default"],
  allowInsecureConnection: true,
  retryOptions: { maxRetries: 0 },
};
// The client has a switch for plain HTTP, but none for tokens over it: the policy that refuses them is replaced.
const connect = (credential) => {
  const client = new ContainerInstanceManagementClient(credential, subscription, options);
  client.pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" });
  client.pipeline.addPolicy({
    name: "plainBearerTokenPolicy",
    async sendRequest(request, next) {
      const { token } = await credential.getToken(options.credentialScopes);
      request.headers.set("Authorization", `Bearer ${token}`);
      return next(request);
    },
  });
  return client;
};
const client = connect(managedIdentity);
const { containerGroups, containers, location } = client;
const group = {
  location: "westeurope",
  tags: { size: "small" },
  osType: "Linux",
  restartPolicy: "Never",
  containers: [
    {
      name: "worker",
      image: "local/worker:1",
      resources: { requests: { memoryInGB: 1.5, cpu: 1 } },
      environmentVariables: [{ name: "QUEUE", value: "q" }, { name: "KEY", secureValue: "secret" }],
    },
  ],
};
const state = async (name) => {
  const shown = await containerGroups.get(resourceGroup, name);
  return [shown.instanceView.state, shown.containers[0].instanceView.currentState.state];
};

// Create, and wait for the operation.
const names = ["worker-1", "worker-2", "worker-3"];
for (const name of names) {
  const made = await containerGroups.beginCreateOrUpdateAndWait(resourceGroup, name, group, poll);
  assert.equal(made.provisioningState, "Succeeded");
  assert.equal(made.containers[0].environmentVariables[1].secureValue, undefined);
  assert.deepEqual(await state(name), ["Running", "Running"]);
}

// List, in pages and without instance views.
const listed = [];
for await (const item of containerGroups.listByResourceGroup(resourceGroup)) listed.push(item);
assert.deepEqual(listed.map((item) => item.name), names);
assert.ok(listed.every((item) => item.instanceView === undefined && item.containers[0].instanceView === undefined));

// Tags, log, usages.
const patched = await containerGroups.update(resourceGroup, "worker-1", { tags: { size: "large" } });
assert.deepEqual(patched.tags, { size: "large" });
const log = await containers.listLogs(resourceGroup, "worker-1", "worker", { tail: 1 });
assert.equal(log.content, "waiting to be told to exit\n");
const usages = {};
for await (const usage of location.listUsage("westeurope")) usages[usage.name.value] = usage.currentValue;
assert.deepEqual(usages, { ContainerGroups: 3, StandardCores: 3 });

// Stop, start, restart, delete.
await containerGroups.stop(resourceGroup, "worker-1");
assert.deepEqual(await state("worker-1"), ["Stopped", "Terminated"]);
await containerGroups.beginStartAndWait(resourceGroup, "worker-1", poll);
assert.deepEqual(await state("worker-1"), ["Running", "Running"]);
await containerGroups.beginRestartAndWait(resourceGroup, "worker-1", poll);
assert.deepEqual(await state("worker-1"), ["Running", "Running"]);
await containerGroups.beginDeleteAndWait(resourceGroup, "worker-1", poll);
await assert.rejects(state("worker-1"), (error) => error.statusCode === 404 && error.code === "ResourceNotFound");

// What is not allowed.
const refused = connect(stranger).containerGroups;
await assert.rejects(refused.get(resourceGroup, "worker-2"), (error) => error.statusCode === 401);
console.log("satisfied");
