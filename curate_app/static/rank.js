// The rank screen: a queue of pairs (or fours) whose pictures are there before they are asked for.
// A key shows the next group at once; the vote counts as done when the server has it on disk, and
// a vote that did not arrive brings its group back.

import { act, every, keyOf, leavePage, one, post, refreshSoon, register, toast } from "./app.js";

const AHEAD = 5; // groups whose pictures are loaded and decoded
const SKIPPED = 20; // groups that were skipped and do not come again soon
const TINY = 10; // how many times its size a very small picture is shown at most
const REMEMBERED = 20; // groups whose pictures stay loaded for an undo
const VOTES_PER_REFRESH = 15;
const IDLE_MS = 2000; // after the last vote, before the numbers are fetched

const contest = one("#contest");
const stage = one("#stage");
const frames = every(".contender", stage);
const given = JSON.parse(one("#given").textContent);
const four = given.mode === "four";
const full = given.full; // groups in the queue after more were fetched
const low = Math.ceil(0.6 * full); // fewer than that: ask for more

let queue = []; // groups to vote on; the first is on the screen
let ready = false; // whether the eyes can have seen the first group
let asked = 0; // groups on their way here
let armed = ""; // reject, keep or open: the next side means that
let best = null; // best of four: the frame chosen first
let skipped = []; // the ids of groups that were skipped lately
let done = []; // what this page did: {batch, group}, the latest last

// ---------------------------------------------------------------- the queue

const named = (group) => [...group.ids].sort((a, b) => a - b).join("-");

function take(groups) {
  const here = new Set(queue.map(named));
  queue.push(...groups.filter((group) => !here.has(named(group))));
  preload();
  if (queue.length && stage.dataset.shown !== named(queue[0])) show();
}

function preload() {
  for (const group of queue.slice(0, AHEAD)) {
    group.images ??= group.pictures.map(imageOf);
    group.seen ??= Promise.all(group.images.map((image) => image.decode().catch(() => {})));
  }
}

function imageOf(picture) {
  const image = new Image();
  image.src = picture.large;
  image.alt = picture.caption || `picture ${picture.id}`;
  image.draggable = false;
  if (Math.max(picture.width, picture.height) <= 64) {
    image.style.maxWidth = `${TINY * picture.width}px`; // larger, a small picture is only blocks
    image.style.maxHeight = `${TINY * picture.height}px`;
  }
  return image;
}

function wanted() {
  const coming = queue.length + asked;
  return coming < low ? full - coming : 0;
}

// What the server shall not send: it lies here, or was skipped lately.
const held = () => [...queue.map(({ ids }) => ids), ...skipped];

async function fetchGroups(question) {
  const query = new URLSearchParams({ label: given.label, mode: given.mode, ...question });
  const response = await fetch(`/rank/next?${query}`, { headers: { Accept: "application/json" } });
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (response.ok) return answer.queue;
  throw Object.assign(new Error(answer.error), { refused: response.status < 500 });
}

async function refill() {
  const count = wanted();
  if (!count) return;
  asked += count;
  try {
    const question = () => ({ count, held: held().map((ids) => ids.join("-")).join(",") });
    let groups = await fetchGroups(question());
    if (!groups.length && skipped.length) {
      skipped = []; // there is nothing else
      groups = await fetchGroups(question());
    }
    take(groups);
  } catch {
    toast("no further pictures came; is the app still running? Skip (s) asks again", { failed: true });
  } finally {
    asked -= count;
  }
  if (!queue.length) show();
}

// Pictures that are out of the contest leave with every group that they are in.
function drop(ids) {
  const out = new Set(ids);
  const onScreen = queue[0];
  queue = queue.filter((group) => !group.ids.some((id) => out.has(id)));
  preload();
  if (queue[0] !== onScreen) show();
  refill();
}

// ---------------------------------------------------------------- what is on the screen

function show() {
  const group = queue[0];
  ready = false;
  best = null;
  arm("");
  useLens(false);
  one(".nothing", stage).hidden = Boolean(group) || asked > 0;
  one(".nothing", stage).textContent = "Nothing is left to compare here. Choose another class (g).";
  stage.dataset.shown = group ? named(group) : "";
  delete stage.dataset.ready;
  preload();
  frames.forEach((frame, side) => showPicture(frame, group?.pictures[side], group?.images?.[side]));
  markBest();
  group?.seen.then(() =>
    requestAnimationFrame(() => {
      if (queue[0] !== group) return;
      ready = true;
      stage.dataset.ready = named(group);
    }),
  );
}

function showPicture(frame, picture, image) {
  const look = one(".look", frame);
  frame.classList.toggle("empty", !picture);
  look.replaceChildren(...(image ? [image] : []));
  if (!picture) return;
  look.href = picture.page;
  look.setAttribute("aria-label", `Choose #${picture.id}: ${picture.caption || "no caption"}`);
  frame.dataset.id = picture.id;
  one(".text", frame).textContent = picture.caption || `#${picture.id}`;
  one(".text", frame).title = picture.caption;
  one(".size", frame).textContent = `${picture.width} × ${picture.height}`;
  showStatus(frame, picture);
}

function showStatus(frame, { status, stars }) {
  const badge = one(".badge", frame);
  badge.textContent = [status === "keep" ? "kept" : "", "★".repeat(stars)].join(" ").trim();
}

function learn(pictures) {
  for (const known of queue.flatMap((group) => group.pictures)) {
    const fresh = pictures.find((picture) => picture.id === known.id);
    if (fresh) Object.assign(known, { status: fresh.status, stars: fresh.stars });
  }
  frames.forEach((frame, side) => queue[0] && showStatus(frame, queue[0].pictures[side]));
  const out = pictures.filter((picture) => picture.status === "reject" || picture.label !== given.label);
  if (out.length) drop(out.map((picture) => picture.id));
}

const say = (text) => (one("#told").textContent = text);

// ---------------------------------------------------------------- what is done

// The group leaves the screen at once; it comes back if what was done with it did not arrive.
function leave() {
  const group = queue.shift();
  show();
  if (!queue.length) refill();
  return group;
}

// For the undo; pictures of long ago are let go, and loaded again if they are needed.
function remember(batch, group) {
  if (batch === null) return;
  done.push({ batch, group });
  const old = done.at(-REMEMBERED - 1)?.group;
  if (old) delete old.images;
  if (old) delete old.seen;
}

async function vote(path, body, group) {
  const more = wanted();
  asked += more;
  const own = { ticket: group.ticket, label: given.label, more, held: held() };
  try {
    const answer = await post(path, { ...body, ...own });
    asked -= more;
    remember(answer.batch, group);
    count(answer.votes?.length ?? 0);
    say(answer.message);
    take(answer.queue ?? []);
    refreshLater();
  } catch (error) {
    asked -= more;
    toast(error.message, { failed: true });
    bringBack(group);
  }
}

// Unless it is out of the contest: somebody else may have rejected a picture of it.
async function bringBack(group) {
  let again = [group];
  try {
    again = await fetchGroups({ again: group.ids.join("-") });
  } catch (error) {
    if (error.refused) again = [];
  }
  queue = [...(again.length ? [group] : []), ...queue.filter((other) => other !== group)];
  preload();
  show();
  refill();
}

function choose(side) {
  const group = queue[0];
  if (!ready || !group?.ids[side]) return;
  if (armed) return doArmed([side]);
  if (four) return chooseOfFour(side);
  const [left, right] = leave().ids;
  vote("/rank/vote", { left, right, outcome: ["left", "right"][side] }, group);
}

function tie() {
  const group = queue[0];
  if (!ready || !group || four) return;
  const [left, right] = leave().ids;
  vote("/rank/vote", { left, right, outcome: "tie" }, group);
}

function chooseOfFour(side) {
  if (best === side) return takeBestBack();
  if (best === null) {
    best = side;
    return markBest();
  }
  settleFour(side);
}

function settleFour(worst) {
  const group = queue[0];
  if (!ready || best === null) return;
  const body = { ids: group.ids, best: group.ids[best], worst: worst === null ? null : group.ids[worst] };
  leave();
  vote("/rank/four", body, group);
}

function takeBestBack() {
  best = null;
  markBest();
  say("taken back: which is the best?");
}

const WORST = "And the worst of the other three? (Esc: another best)";

function markBest() {
  frames.forEach((frame, side) => frame.classList.toggle("best", side === best));
  if (!four) return;
  one("[data-act=no-worst]").hidden = best === null;
  stage.setAttribute("aria-label", best === null ? "Which is the best?" : "Which is the worst?");
  if (best !== null) say(WORST);
  else if (one("#told").textContent === WORST) say("");
}

function skip() {
  if (!queue.length) return refill();
  skipped = [...skipped, leave().ids].slice(-SKIPPED);
  say("skipped; nothing is written");
  refill();
}

const QUESTIONS = {
  reject: "Reject which one? (x: all, Esc: none)",
  keep: "Keep which one? (k: all, Esc: none)",
  open: "Open which one? (Enter: the first, Esc: none)",
};

// x, k or Enter, then a side; the same key again means all that are shown.
function arm(what) {
  if (what && armed === what) {
    if (what === "open") return doArmed([0]);
    return doArmed(frames.map((_, side) => side));
  }
  armed = what;
  contest.dataset.armed = what;
  for (const button of every("[data-act=arm]")) {
    button.setAttribute("aria-pressed", String(button.dataset.value === what));
  }
  one("[data-act=arm-all]").hidden = !what || what === "open";
  if (what) say(QUESTIONS[what]);
  else if (Object.values(QUESTIONS).includes(one("#told").textContent)) say("");
}

async function doArmed(sides) {
  const verb = armed;
  const group = queue[0];
  const ids = sides.map((side) => group.ids[side]).filter(Boolean);
  if (!ready || !ids.length) return;
  arm("");
  if (verb === "open") return leavePage(() => location.assign(group.pictures[sides[0]].page));
  if (verb === "reject") drop(ids);
  try {
    const answer = await post("/judge", { verb, ids });
    remember(answer.batch, verb === "reject" ? group : null);
    say(answer.message);
    learn(answer.pictures);
    refreshLater();
  } catch (error) {
    toast(error.message, { failed: true });
    if (verb === "reject") bringBack(group);
  }
}

// What was taken back is shown again, to be done otherwise.
async function undo() {
  let answer;
  try {
    answer = await post("/undo", {});
  } catch (error) {
    return toast(error.message, { failed: true });
  }
  say(answer.message);
  count(-(answer.votes?.length ?? 0));
  learn(answer.pictures);
  refreshLater();
  const mine = done.find(({ batch }) => batch === answer.batch);
  done = done.filter((entry) => entry !== mine);
  let group = mine?.group ?? null;
  if (!mine && answer.votes?.length) group = await votedOn(answer.votes);
  if (group) bringBack(group);
}

// The pictures of votes that another page of this person cast.
async function votedOn(votes) {
  const ids = [...new Set(votes.flatMap(({ left, right }) => [left, right]))];
  if (ids.length !== frames.length) return null;
  return fetchGroups({ again: ids.join("-") }).then(
    ([group]) => group,
    () => null,
  );
}

// ---------------------------------------------------------------- numbers

function count(votes) {
  for (const counter of every("#mine, #votes")) {
    counter.textContent = (Number(counter.textContent.replaceAll(",", "")) + votes).toLocaleString("en-US");
  }
}

let idle = 0;
let sinceRefresh = 0;

// Progress and the top list follow in pauses, and now and then while the votes go on.
function refreshLater() {
  sinceRefresh += 1;
  clearTimeout(idle);
  if (sinceRefresh >= VOTES_PER_REFRESH) return refreshNow();
  idle = setTimeout(refreshNow, IDLE_MS);
}

function refreshNow() {
  clearTimeout(idle);
  if (one("#classes").open) return (idle = setTimeout(refreshNow, IDLE_MS)); // it is being read
  sinceRefresh = 0;
  refreshSoon();
  // The server may have been fitting the latest votes when it answered: look once more.
  idle = setTimeout(() => one("#progress").dataset.fresh === "false" && refreshNow(), 2 * IDLE_MS);
}

// ---------------------------------------------------------------- zoom: all at the same place

let scale = 1;

function useLens(on, factor = 2.5) {
  scale = on ? factor : 1;
  stage.classList.toggle("lens", on);
  stage.style.setProperty("--scale", scale);
  if (!on) lookAt(0.5, 0.5);
  one("[data-act=lens]").setAttribute("aria-pressed", String(on));
}

function lookAt(x, y) {
  stage.style.setProperty("--x", `${(100 * x).toFixed(2)}%`);
  stage.style.setProperty("--y", `${(100 * y).toFixed(2)}%`);
}

function magnify(factor) {
  const next = Math.min(Math.max(scale * factor, 1), 16);
  useLens(next > 1.05, next);
}

let pressedAt = null;
let dragged = false;

stage.addEventListener("pointerdown", (event) => {
  pressedAt = [event.clientX, event.clientY];
  dragged = false;
});

stage.addEventListener("pointermove", (event) => {
  if (scale === 1) return;
  const look = event.target.closest(".look");
  if (!look) return;
  const box = look.getBoundingClientRect();
  lookAt((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  if (event.buttons && pressedAt) {
    dragged ||= Math.hypot(event.clientX - pressedAt[0], event.clientY - pressedAt[1]) > 10;
  }
});

stage.addEventListener(
  "wheel",
  (event) => {
    if (scale === 1 || !event.target.closest(".look")) return;
    event.preventDefault();
    magnify(event.deltaY < 0 ? 1.25 : 0.8);
  },
  { passive: false },
);

// ---------------------------------------------------------------- the end of it

function keepTop(withRest) {
  const { top, keep, reject } = one("#keep-form").dataset;
  const body = { label: given.label, top: Number(top), keep: Number(keep) };
  finish("/rank/keep-top", { ...body, reject: withRest ? Number(reject) : 0 });
}

async function finish(path, body) {
  const answer = await act(path, body, []);
  if (!answer) return refreshNow(); // most likely it has changed meanwhile
  remember(answer.batch, null);
  learn(answer.pictures);
}

one("#target-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const target = one("#target").valueAsNumber;
  const address = new URL(location.href);
  address.searchParams.delete("top"); // from here on the target says how many
  history.replaceState(null, "", address);
  finish("/rank/target", { label: given.label, target });
});

// ---------------------------------------------------------------- classes

function toggleClasses() {
  const list = one("#classes");
  list.open = !list.open;
  if (list.open) (one("[aria-current]", list) ?? one("a", list))?.focus();
}

function stepInClasses(down) {
  const links = every("#classes a");
  const here = links.indexOf(document.activeElement);
  links[Math.min(Math.max(here + (down ? 1 : -1), 0), links.length - 1)]?.focus();
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("#classes")) one("#classes").open = false;
});

function back() {
  if (one("#classes").open) {
    one("#classes").open = false;
    return stage.focus({ preventScroll: true });
  }
  if (armed) return arm("");
  if (best !== null) return takeBestBack();
  if (scale > 1) useLens(false); // nothing else is left to close: the page stays
}

function space() {
  if (four && best !== null) settleFour(null);
  else useLens(scale === 1);
}

// ---------------------------------------------------------------- keys and clicks

const ACTS = {
  tie,
  skip,
  undo,
  arm: (_tile, { value }) => arm(armed === value ? "" : value), // a second click means nothing
  "arm-all": () => armed && doArmed(frames.map((_, side) => side)),
  lens: () => useLens(scale === 1),
  "no-worst": () => settleFour(null),
  "keep-top": () => keepTop(false),
  "keep-top-only": () => keepTop(true),
};
register({ acts: ACTS });

const KEYS = {
  ArrowLeft: () => !four && choose(0),
  ArrowRight: () => !four && choose(1),
  ArrowUp: tie,
  ArrowDown: skip,
  "=": tie,
  t: tie,
  s: skip,
  x: () => arm("reject"),
  k: () => arm("keep"),
  u: undo,
  g: toggleClasses,
  "+": () => magnify(1.5),
  "-": () => magnify(1 / 1.5),
  " ": space,
  Enter: () => (four && best !== null ? settleFour(null) : arm("open")),
  Escape: back,
};
frames.forEach((_, side) => (KEYS[String(side + 1)] = () => choose(side)));

// Before the keys of all pages, among which some mean something else.
document.addEventListener(
  "keydown",
  (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (target.matches("input, textarea, select")) return;
    const inClasses = target.closest("#classes");
    if (inClasses && (key === "ArrowDown" || key === "ArrowUp")) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return stepInClasses(key === "ArrowDown");
    }
    const ownControl = target.matches("button, a, summary") && !target.matches(".look");
    if (ownControl && (key === " " || key === "Enter")) return;
    const meant = KEYS[keyOf(event)];
    const elsewhere = /^[0-9]$|^Arrow|^[klc]$/.test(key); // of other screens, without a meaning here
    if (!meant && !elsewhere) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (meant && !event.repeat) meant(); // a held key votes once
  },
  true,
);

stage.addEventListener("click", (event) => {
  const look = event.target.closest(".look");
  if (!look || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (dragged || event.detail > 1) return; // a double click votes once
  choose(Number(look.closest(".contender").dataset.side));
});

// After a click on a button the keys go on where they were.
contest.addEventListener("click", (event) => {
  if (event.detail && event.target.closest(".choices-bar button")) stage.focus({ preventScroll: true });
});

// The window's height less what stands above: no picture is cut off on the screen.
const fit = () => contest.style.setProperty("--above", `${contest.offsetTop}px`);
addEventListener("resize", fit);
fit();

take(given.queue);
if (!queue.length) show();
stage.focus({ preventScroll: true });
