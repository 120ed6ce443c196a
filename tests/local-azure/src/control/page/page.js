// Polls once a second and updates only what has changed, so that focus, selection and scroll positions stay.

const WINDOW_MS = 3 * 60 * 1000;
const INTERVAL_MS = 1000;
/** What a group that Azure cannot start is called: it is not at work, and will not be. */
const FAILING_STARTS = ["pull fails", "start fails"];
const BAD = ["held_by_breaker", "held_by_failed_creates", "create_backing_off", "waiting_quota", "start_failing", "invalid", "failed", "unread", "waiting_logs", "deleted_without_logs", "delete_failed", "parked"];

const at = (id) => document.getElementById(id);
const time = (text) => (text ? Date.parse(text) : null);
let now = Date.now();
let passTimes = [];
let known = null;
let logOf = null;

function setText(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}

function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

function element(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Makes the children of `parent` those of `items`, in order, keeping the nodes of keys that stay. */
function reconcile(parent, items, keyOf, make, update) {
  const have = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const node = have.get(key) ?? make(item);
    node.dataset.key = key;
    have.delete(key);
    if (node === next) next = node.nextElementSibling;
    else parent.insertBefore(node, next);
    update(node, item);
  }
  for (const node of have.values()) node.remove();
}

function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function announce(text) {
  at("announcement").textContent = text;
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

// Subscriptions

function makeSubscription() {
  return element("li", "", element("span", "name"), element("b", "count-of"), element("div", "backlog", element("i")), element("span", "note"));
}

function showSubscriptions(subscriptions) {
  subscriptions.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  const most = Math.max(10, ...subscriptions.map((subscription) => subscription.messages));
  reconcile(at("subscriptions"), subscriptions, (subscription) => subscription.name, makeSubscription, (node, subscription) => {
    const notes = [];
    if (subscription.dead_letters) notes.push(`${subscription.dead_letters} dead letters`);
    if (subscription.status !== "Active") notes.push(subscription.status);
    setText(node.querySelector(".name"), subscription.name);
    setText(node.querySelector(".count-of"), subscription.messages);
    node.querySelector(".backlog i").style.setProperty("--share", `${(100 * subscription.messages) / most}%`);
    setText(node.querySelector(".note"), notes.join(", "));
  });
}

// Container groups

function kindOf(group) {
  if (group.state === "running") return "running";
  if (group.state === "succeeded") return "ended";
  return ["failed", "out of memory", "no capacity", ...FAILING_STARTS].includes(group.state) ? "failed" : "starting";
}

const idOf = (group) => `${group.name} ${group.created}`;

function makeGroup(group) {
  const open = element("button", "open", group.name);
  open.title = `Log of ${group.name}: message ${group.message_id ?? "unknown"} of ${group.subscription ?? "no subscription"}`;
  open.addEventListener("click", () => openLog(group.name));
  const fail = element("button", "fail", "Fail");
  fail.setAttribute("aria-label", `Fail ${group.name}`);
  fail.addEventListener("click", () => failGroup(group.name));
  const track = element("div", "track", element("i", "starting"), element("i", "running"), element("i", "after"));
  track.setAttribute("aria-hidden", "true");
  return element("li", "", open, element("span", "name of", group.subscription ?? ""), element("span", "state"), element("span", "size"), track, element("span", "age"), element("span", "", fail));
}

function place(bar, from, to) {
  const percent = (moment) => Math.min(100, Math.max(0, 100 - (100 * (now - moment)) / WINDOW_MS));
  const shown = from !== null && to !== null;
  bar.style.setProperty("--from", `${shown ? percent(from) : 0}%`);
  bar.style.setProperty("--span", `${shown ? percent(to) - percent(from) : 0}%`);
}

function updateGroup(node, group) {
  const kind = kindOf(group);
  const [created, started, finished, deleted] = [group.created, group.started, group.finished, group.deleted].map(time);
  const end = deleted ?? now;
  node.classList.toggle("gone", deleted !== null);
  const state = node.querySelector(".state");
  state.className = `state ${kind}`;
  const exit = group.state === "failed" ? ` (${group.exit_code})` : "";
  setText(state, group.state + exit);
  setText(node.querySelector(".size"), `${group.file_size_mb ?? "?"} MB → ${group.memory_gb} GB`);
  node.querySelector(".size").title = `A file of ${group.file_size_mb ?? "?"} MB, ${group.memory_gb} GB of memory, ${group.cpu} cores`;
  const [starting, running, after] = node.querySelectorAll(".track > i:not(.tick)");
  place(starting, created, started ?? end);
  place(running, started, started === null ? null : (finished ?? end));
  place(after, finished, finished === null ? null : end);
  const failed = kind === "failed" ? "failed" : "";
  starting.className = started === null && failed ? failed : "starting";
  running.className = finished === null ? "running" : (failed || "ended");
  after.className = `after ${failed || "ended"}`;
  const track = node.querySelector(".track");
  while (track.childElementCount > 3 + passTimes.length) track.lastElementChild.remove();
  while (track.childElementCount < 3 + passTimes.length) track.append(element("i", "tick"));
  passTimes.forEach((moment, index) => track.children[3 + index].style.setProperty("--from", `${100 - (100 * (now - moment)) / WINDOW_MS}%`));
  setText(node.querySelector(".age"), deleted === null ? duration(end - created) : "gone");
  setHidden(node.querySelector(".fail"), group.state !== "running");
}

function showGroups(groups) {
  const recent = groups.filter((group) => !group.deleted || now - time(group.deleted) < WINDOW_MS);
  recent.sort((one, other) => time(other.created) - time(one.created) || one.name.localeCompare(other.name));
  reconcile(at("timeline"), recent, idOf, makeGroup, updateGroup);
  setHidden(at("no-groups"), recent.length > 0);
  const states = new Map(groups.map((group) => [idOf(group), kindOf(group)]));
  const failed = known === null ? [] : groups.filter((group) => kindOf(group) === "failed" && known.get(idOf(group)) !== "failed");
  if (failed.length) announce(failed.map((group) => `${group.name}: ${group.state}`).join(", "));
  known = states;
}

async function failGroup(name) {
  try {
    await post(`/control/container-groups/${encodeURIComponent(name)}/exit`, { code: 1 });
    at("groups").querySelector(".scroll").focus();
  } catch (error) {
    announce(error.message);
  }
  await refresh();
}

// Passes

const plain = (kind) => kind.replaceAll("_", " ");
const counts = (of) => Object.entries(of ?? {}).map(([kind, count]) => `${count} ${plain(kind)}`).join(", ") || "none";

function summaryOf(pass) {
  if (pass.failure) return "failed";
  const { report } = pass;
  return `${report.plan_only ? "Plan. " : ""}Messages: ${counts(report.message_counts)}. Groups: ${counts(report.group_counts)}.`;
}

/** How many messages and groups are not listed: those that just wait or run, and those beyond the first few hundred. */
function unlisted({ report }) {
  const sum = (of) => Object.values(of ?? {}).reduce((total, count) => total + count, 0);
  return report ? sum(report.message_counts) + sum(report.group_counts) - report.messages.length - report.groups.length : 0;
}

/** What one thing became, and why, in the words of the report. */
function decisions(pass) {
  if (pass.failure) return [["pass", "failed", pass.failure]];
  const { report } = pass;
  const clock = (text) => new Date(text).toLocaleTimeString([], { hour12: false });
  const details = ({ reason, group, attempt, exit_code: exit, since, until, memory_gb: memory, log_lines: lines }) =>
    [
      group, memory && `${memory} GB`, lines !== undefined && `${lines} lines of its log were kept`, attempt && `attempt ${attempt}`,
      exit !== undefined && `exit code ${exit}`, reason, since && `since ${clock(since)}`, until && `until ${clock(until)}`,
    ].filter(Boolean).join(": ");
  const message = (m) => [`${m.subscription} / ${m.message_id ?? `#${m.sequence_number}`}`, m.outcome, details(m)];
  return [
    ...(report.subscriptions ?? []).filter((s) => s.error).map((s) => [s.name, "failed", s.error]),
    ...report.messages.map(message),
    ...report.groups.map((group) => [group.name, group.outcome, details({ ...group, group: null })]),
  ];
}

function makePass(pass) {
  const when = element("time", "", new Date(pass.at).toLocaleTimeString([], { hour12: false }));
  const all = decisions(pass);
  const text = element("span", pass.failure ? "bad" : "", summaryOf(pass));
  const numbers = pass.report?.capacity ? `${pass.report.capacity.active} of ${pass.report.capacity.max} in use · ${pass.report.duration_ms} ms` : "";
  const list = element("dl", "reasons");
  for (const [who, outcome, why] of all) {
    list.append(element("dt", "", who), element("dd", BAD.includes(outcome) ? "bad" : "", plain(outcome)), element("dd", "", why));
  }
  if (unlisted(pass) > 0) list.append(element("dt", "", `${unlisted(pass)} more are only counted.`));
  else if (!all.length) list.append(element("dt", "", "There was nothing to do."));
  const details = element("details", "", element("summary", "", when, text, element("span", "count", numbers)), list);
  return element("li", "", details);
}

function showPasses(passes) {
  passTimes = passes.map((pass) => time(pass.at)).filter((moment) => now - moment < WINDOW_MS);
  const list = at("pass-list");
  const hadNone = list.childElementCount === 0;
  reconcile(list, passes, (pass) => pass.at, makePass, () => {});
  if (hadNone && passes.length) list.querySelector("details").open = true;
  setHidden(at("no-passes"), passes.length > 0);
}

// Logs

async function openLog(name) {
  logOf = name;
  setText(at("log-heading"), `Log of ${name}`);
  at("log-text").textContent = "";
  at("log").showModal();
  await showLog();
}

async function showLog() {
  if (logOf === null) return;
  const answer = await fetch(`/control/container-groups/${encodeURIComponent(logOf)}/log`);
  const pre = at("log-text");
  const atEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4;
  setText(pre, (answer.ok && (await answer.text())) || "It has printed nothing.");
  if (atEnd) pre.scrollTop = pre.scrollHeight;
}

// All of it

function show(state) {
  now = time(state.now);
  setText(at("topic-name"), state.topic);
  const isIdle = (group) => group.deleted || group.finished || group.state === "no capacity" || FAILING_STARTS.includes(group.state);
  const active = state.groups.filter((group) => !isIdle(group));
  setText(at("total-messages"), state.subscriptions.reduce((sum, subscription) => sum + subscription.messages, 0));
  setText(at("total-active"), active.length);
  setText(at("total-memory"), `${Math.round(10 * active.reduce((sum, group) => sum + group.memory_gb, 0)) / 10} GB`);
  setText(at("faults"), `${state.faults} ${state.faults === 1 ? "fault" : "faults"} in force`);
  setHidden(at("faults"), state.faults === 0);
  showSubscriptions(state.subscriptions);
  showPasses(state.passes);
  showGroups(state.groups);
}

function showConnection(text, className) {
  const chip = at("connection");
  setText(chip, text);
  chip.className = `chip ${className}`;
}

async function refresh() {
  try {
    const answer = await fetch("/control/state");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    await showLog();
    showConnection("live", "live");
  } catch (error) {
    showConnection("not reachable", "lost");
    console.warn(error);
  }
}

async function refreshForEver() {
  await refresh();
  setTimeout(refreshForEver, INTERVAL_MS);
}

at("send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const [size, count] = [Number(form.get("size_mb")), Number(form.get("count"))];
  try {
    await post("/control/messages", { size_mb: size, count });
    announce(`${count} sent, of ${size} MB`);
  } catch (error) {
    announce(error.message);
  }
  await refresh();
});
at("log-close").addEventListener("click", () => at("log").close());
at("log").addEventListener("close", () => { logOf = null; });
setText(at("origin"), location.origin);
refreshForEver();
