// What people expect of the page, checked in a browser against the local Azure that page.rs has prepared: a running
// group `worker-running` that has printed `<b>line</b>`, and `worker-failed`, which exited with 3. Argument: its
// address. Anything unexpected is an exception.

import assert from "node:assert/strict";
import { open, withBrowser } from "./browser.mjs";

const [address] = process.argv.slice(2);

async function sees(page, selector, text) {
  await page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 15_000 });
}

const boxes = (page) => page.locator("section").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON()));

async function showsWhatIsThere(page) {
  await sees(page, "#connection", "live");
  await sees(page, "#subscriptions li", "601-1GB");
  await sees(page, "#timeline li", /worker-running.*running.*8 MB → 0.5 GB/);
  await sees(page, "#timeline li", /worker-failed.*failed \(3\)/);
  assert.equal(await page.getByRole("button", { name: "Fail worker-failed" }).count(), 0, "it has ended already");
}

async function sendsByKeyboardAlone(page) {
  await page.locator("h1").click();
  for (const text of ["120", "3"]) {
    await page.keyboard.press("Tab");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(text);
  }
  await page.keyboard.press("Tab");
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, "solid", "the focus is seen");
  await page.keyboard.press("Enter");
  await sees(page, "[role=status]", "3 sent, of 120 MB");
  await sees(page, "#subscriptions li", /51-200MB\s*3/);
  await sees(page, "#total-messages", "3");
}

async function showsTheLogAsText(page) {
  const opener = page.getByRole("button", { name: "worker-running", exact: true });
  await opener.focus();
  await page.keyboard.press("Enter");
  await sees(page, "dialog[open] pre", "<b>line</b>");
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "hidden" });
  assert.equal(await opener.evaluate((node) => node === document.activeElement), true, "the focus is back");
}

async function doesNotCallAFailingStartWork(page) {
  await sees(page, "#timeline li", /worker-pulls.*pull fails/);
  await sees(page, "#total-active", /^1$/);
}

async function keepsTheFocusOverLooks(page) {
  const fail = page.getByRole("button", { name: "Fail worker-running" });
  await fail.focus();
  const age = page.locator("#timeline li", { hasText: "worker-running" }).locator(".age");
  const before = await age.textContent();
  await page.waitForFunction(([node, text]) => node.textContent !== text, [await age.elementHandle(), before]);
  assert.equal(await fail.evaluate((node) => node === document.activeElement), true);
}

async function failsAWorker(page) {
  await page.getByRole("button", { name: "Fail worker-running" }).click();
  await sees(page, "#timeline li", /worker-running.*failed \(1\)/);
  await sees(page, "[role=status]", "worker-running: failed");
}

async function tellsWhatAPassDecidedAndWhy(page) {
  const report = {
    started_at: "2026-01-01T00:00:00Z", duration_ms: 84, plan_only: false, capacity: { max: 200, active: 2 },
    message_counts: { created: 1, invalid: 1, waiting_capacity: 7 }, group_counts: { waiting_logs: 1 }, subscriptions: [],
    messages: [
      { subscription: "1-50MB", sequence_number: 1, message_id: "m1", outcome: "created", group: "worker-m1", memory_gb: 1.5 },
      {
        subscription: "1-50MB", sequence_number: 3, message_id: "m3", outcome: "backing_off", group: "worker-m3", attempt: 2, exit_code: 137,
        reason: "OOMKilled",
      },
      { subscription: "1-50MB", sequence_number: 2, message_id: null, outcome: "invalid", reason: "file_size_mb is missing" },
    ],
    groups: [{ name: "worker-failed", outcome: "waiting_logs", reason: "the service hangs" }],
  };
  await page.evaluate((body) => fetch("/control/reports", { method: "POST", body: JSON.stringify(body) }), report);
  await sees(page, "#passes summary", "Messages: 1 created, 1 invalid, 7 waiting capacity. Groups: 1 waiting logs.");
  await sees(page, "#passes summary", "2 of 200 in use · 84 ms");
  await sees(page, "#passes dl", /1-50MB \/ m1created\s*worker-m1: 1.5 GB/);
  await sees(page, "#passes dl", /1-50MB \/ #2invalid\s*file_size_mb is missing/);
  await sees(page, "#passes dl", /1-50MB \/ m3backing off\s*worker-m3: attempt 2: exit code 137: OOMKilled/);
  await sees(page, "#passes dl", "the service hangs");
  await sees(page, "#passes dl", "6 more are only counted.");
}

/** What is cut off, or sticks out of the page. */
function clipped() {
  const width = document.documentElement.clientWidth;
  const hides = (node) => ["hidden", "clip"].includes(getComputedStyle(node).overflowX) && node.textContent.trim();
  const isCut = (node) => (hides(node) && node.scrollWidth > node.clientWidth + 1) || node.getBoundingClientRect().right > width + 1;
  const shown = [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility());
  return shown.filter(isCut).map((node) => `${node.tagName} ${node.className} ${node.textContent.trim().slice(0, 40)}`);
}

/** The contrast of text and ground as WCAG 2.2 has it, the least of all texts that are shown. */
function leastContrast() {
  const channels = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [red, green, blue] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (node) => {
    const [r, g, b, a = 1] = channels(getComputedStyle(node).backgroundColor);
    return a > 0 || !node.parentElement ? [r, g, b] : ground(node.parentElement);
  };
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  const shown = [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility() && hasText(node));
  const ratios = shown.map((node) => {
    const [one, other] = [channels(getComputedStyle(node).color), ground(node)].map(luminance).sort((a, b) => b - a);
    return { ratio: (one + 0.05) / (other + 0.05), text: node.textContent.trim().slice(0, 30) };
  });
  return ratios.sort((one, other) => one.ratio - other.ratio)[0];
}

await withBrowser(async (browser) => {
  const page = await open(browser, address, "light");
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(address)) errors.push(request.url()); });
  await showsWhatIsThere(page);
  const before = await boxes(page);
  await sendsByKeyboardAlone(page);
  await showsTheLogAsText(page);
  await doesNotCallAFailingStartWork(page);
  await keepsTheFocusOverLooks(page);
  await failsAWorker(page);
  await tellsWhatAPassDecidedAndWhy(page);
  assert.deepEqual(await boxes(page), before, "nothing that stays has moved");
  assert.deepEqual(errors, []);

  const narrow = await open(browser, address, "light", { width: 420, height: 800 });
  await showsTotals(narrow);
  assert.deepEqual(await narrow.evaluate(clipped), [], "nothing is clipped at 420 px");

  const grounds = [];
  for (const scheme of ["light", "dark"]) {
    const seen = await open(browser, address, scheme);
    await showsTotals(seen);
    const least = await seen.evaluate(leastContrast);
    assert.ok(least.ratio >= 4.5, `${scheme}: ${JSON.stringify(least)}`);
    grounds.push(await seen.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }
  assert.notEqual(grounds[0], grounds[1]);

  await page.route("**/control/state", (route) => route.abort());
  await sees(page, "#connection", "not reachable");
  await page.unroute("**/control/state");
  await sees(page, "#connection", "live");
});
console.log("satisfied");

async function showsTotals(page) {
  await sees(page, "#total-messages", "3");
  await sees(page, "#passes dl", "the service hangs");
}
