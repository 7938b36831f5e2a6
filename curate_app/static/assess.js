// The blind comparison: a queue of pairs whose pictures are there before they are asked for. A key
// shows the next pair at once; the vote counts when the server has it on disk, and one that did not
// arrive brings its pair back.

import { every, keyOf, one, post, register, toast } from "./app.js";

const AHEAD = 4; // pairs whose pictures are loaded and decoded
const MOST_TIMES = 10; // how many times its size a small picture is shown at most
const LONGEST_LOOK_MS = 3_600_000;

const stage = one("#stage");
const contest = one("#contest");
const frames = every(".contender", stage);
const given = JSON.parse(one("#given").textContent);
const address = `/assess/${given.name}`;
const low = Math.ceil(0.6 * given.full);

let queue = []; // pairs to vote on; the first is on the screen
let ready = false; // whether the eyes can have seen it
let shownAt = 0;
let asked = 0; // pairs on their way here
let sent = new Set(); // trials whose vote is on its way

// ---------------------------------------------------------------- the queue

function take(pairs, { first = false } = {}) {
  const here = new Set(queue.map(({ trial }) => trial));
  const fresh = pairs.filter(({ trial }) => !here.has(trial) && !sent.has(trial));
  queue = first ? [...fresh, ...queue] : [...queue, ...fresh];
  preload();
  if (stage.dataset.shown !== String(queue[0]?.trial ?? "")) show();
}

function preload() {
  for (const pair of queue.slice(0, AHEAD)) {
    pair.pictures ??= pair.images.map((source, side) => imageOf(source, "AB"[side]));
    pair.seen ??= Promise.all(pair.pictures.map((image) => image.decode().catch(() => {})));
  }
}

function imageOf(source, letter) {
  const image = new Image();
  image.src = source;
  image.alt = `picture ${letter}`;
  image.draggable = false;
  return image;
}

// Both in one box of the same size, whatever their own sizes are.
function fitTogether(pictures) {
  const side = MOST_TIMES * Math.max(...pictures.flatMap((i) => [i.naturalWidth, i.naturalHeight]), 1);
  for (const image of pictures) image.style.maxWidth = image.style.maxHeight = `${side}px`;
}

function wanted() {
  const coming = queue.length + asked;
  return coming < low ? given.full - coming : 0;
}

const held = () => [...queue.map(({ trial }) => trial), ...sent];

async function refill() {
  const count = wanted();
  if (!count) return;
  asked += count;
  try {
    const query = new URLSearchParams({ count, held: held().join(",") });
    const response = await fetch(`${address}/next?${query}`, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    learn(await response.json());
  } catch {
    toast("no further pairs came; is the app still running? Reload to go on", { failed: true });
  } finally {
    asked -= count;
  }
}

// ---------------------------------------------------------------- what is on the screen

function show() {
  const pair = queue[0];
  ready = false;
  stage.dataset.shown = pair?.trial ?? "";
  delete stage.dataset.ready;
  stage.classList.toggle("over", !pair);
  one("#settled").hidden = Boolean(pair) || !given.settled;
  one("#about-class").textContent = pair?.label ? `Both are to show: ${pair.label}` : "";
  preload();
  frames.forEach((frame, side) => one(".look", frame).replaceChildren(...(pair ? [pair.pictures[side]] : [])));
  pair?.seen.then(() => {
    fitTogether(pair.pictures);
    requestAnimationFrame(() => {
      if (queue[0] !== pair) return;
      ready = true;
      shownAt = performance.now();
      stage.dataset.ready = pair.trial;
    });
  });
}

function learn(answer) {
  given.settled = answer.settled;
  one("#mine").textContent = answer.mine.toLocaleString("en-US");
  one("#votes").textContent = answer.votes.toLocaleString("en-US");
  if (answer.settled) queue = queue.slice(0, 0); // what lies here would be asked for nothing
  take(answer.queue);
}

const say = (text) => (one("#told").textContent = text);

// ---------------------------------------------------------------- what is done

async function choose(choice) {
  const pair = queue[0];
  if (!ready || !pair) return;
  const look = Math.min(Math.round(performance.now() - shownAt), LONGEST_LOOK_MS);
  queue.shift();
  sent.add(pair.trial);
  show();
  const more = wanted();
  asked += more;
  const body = { trial: pair.trial, choice, ms: look, more, held: held() };
  try {
    const answer = await post(`${address}/vote`, body);
    asked -= more;
    sent.delete(pair.trial);
    say(answer.message);
    learn(answer);
  } catch (error) {
    asked -= more;
    sent.delete(pair.trial);
    toast(error.message, { failed: true });
    if (error.message.includes("answered this pair already")) return refill();
    take([pair], { first: true });
  }
}

async function undo() {
  try {
    const answer = await post(`${address}/undo`, {});
    say(answer.message);
    const { queue: back, ...counts } = answer;
    given.settled = answer.settled;
    learn({ ...counts, queue: [] });
    take(back, { first: true });
    refill();
  } catch (error) {
    toast(error.message, { failed: true });
  }
}

function pixels() {
  const on = stage.classList.toggle("pixels");
  one("[data-act=pixels]").setAttribute("aria-pressed", String(on));
}

// ---------------------------------------------------------------- keys and clicks

const tie = () => choose("tie");
register({ acts: { tie, undo, pixels } });

const left = () => choose("left");
const right = () => choose("right");
const KEYS = {
  ArrowLeft: left, ArrowRight: right, 1: left, 2: right, ArrowUp: tie, "=": tie, t: tie, u: undo, z: pixels,
  Escape: () => {},
};

// Before the keys of all pages, among which some mean something else.
document.addEventListener(
  "keydown",
  (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (target.matches("input, textarea, select")) return;
    if (target.matches("button, a") && (key === " " || key === "Enter")) return;
    const meant = KEYS[keyOf(event)];
    const elsewhere = /^[0-9]$|^Arrow|^[kxlcw ]$|^Enter$/.test(key); // without a meaning here
    if (!meant && !elsewhere) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (meant && !event.repeat) meant(); // a held key votes once
  },
  true,
);

stage.addEventListener("click", (event) => {
  const look = event.target.closest(".look");
  if (!look || event.detail > 1) return; // a double click votes once
  choose(["left", "right"][Number(look.closest(".contender").dataset.side)]);
  if (event.detail) stage.focus({ preventScroll: true });
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
