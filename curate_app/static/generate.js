// The drawing screen: "Draw" asks the run's process, pictures come one after the other, keys keep the
// good ones. The server renders every tile; this file puts them in place.

import { currentTile, every, exchange, focusTile, load, one, post, register, toast } from "./app.js";
import "./copying.js";

const form = one("#settings");
const drawn = one("#drawn");
const run = drawn?.dataset.run;
const beside = one("#beside");
const NUMBERS = ["count", "seed", "steps", "guidance", "share"];
const BUSY_MS = 350;
const MOST_SEED = 9007199254740927;

// ---------------------------------------------------------------- settings

// The form as the server takes it: numbers as numbers.
function settings() {
  const body = {};
  for (const [key, value] of new FormData(form)) body[key] = NUMBERS.includes(key) ? Number(value) : value;
  return body;
}

let timer = 0;

// The address holds the settings, the command line follows them.
function follow(event) {
  clearTimeout(timer);
  if (event.target.name === "run") return form.submit();
  timer = setTimeout(keepAddress, 250);
}

async function keepAddress() {
  if (!form.checkValidity()) return;
  const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  history.replaceState(null, "", address);
  try {
    exchange(await load(address), ["#command-box", "#fault"]);
  } catch {
    // Told when something is drawn.
  }
}

function setSeed(seed) {
  form.elements.seed.value = Math.min(Math.max(0, seed), MOST_SEED);
  keepAddress();
}

// ---------------------------------------------------------------- drawing

async function draw(more = {}) {
  if (!form.reportValidity()) return;
  try {
    const answer = await post("/generate/draw", { ...settings(), ...more });
    show(answer.state);
    one("#status").scrollIntoView({ block: "nearest" });
    watch();
  } catch (error) {
    toast(error.message.replace("not saved", "not drawn"), { failed: true });
  }
}

function next() {
  const { seed, count } = settings();
  setSeed(seed + count);
  draw();
}

function like(tile) {
  if (!tile?.dataset.seed) return;
  const { seed, label, sampler, steps, guidance, checkpoint } = tile.dataset;
  beside.close();
  draw({
    label, sampler, checkpoint, steps: Number(steps), guidance: Number(guidance),
    like: Number(seed), seed: Math.floor(Math.random() * 2 ** 32),
  });
}

async function tell(path, body = {}) {
  try {
    const answer = await post(path, { run, ...body });
    if (answer.message) toast(answer.message);
    return answer;
  } catch (error) {
    toast(error.message, { failed: true });
    return null;
  }
}

async function stop() {
  const state = await tell("/generate/stop");
  if (state) show(state);
}

// ---------------------------------------------------------------- what comes

let watching = false;

// Asks what is new until nothing more can come.
async function watch() {
  if (watching) return;
  watching = true;
  let misses = 0;
  while (misses < 20) {
    try {
      const response = await fetch(`/generate/state?${new URLSearchParams({ run })}`, { headers: { Accept: "application/json" } });
      if (!response.ok) break;
      const state = await response.json();
      misses = 0;
      show(state);
      if (state.revision !== Number(drawn.dataset.revision)) await fetchNew(state.revision);
      if (!state.checking && !["starting", "drawing"].includes(state.state)) break;
    } catch {
      misses += 1;
    }
    await new Promise((ready) => setTimeout(ready, BUSY_MS));
  }
  watching = false;
  if (misses >= 20) toast("the app does not answer; is it still running?", { failed: true });
}

function show(state) {
  const busy = ["starting", "drawing"].includes(state.state);
  const bar = one("#status-bar");
  const quiet = ["asleep", "ready"].includes(state.state);
  one("#status").hidden = quiet && !state.error && !state.checking && !state.unchecked;
  one("#status").dataset.state = state.state;
  put("#status-line", state.state === "failed" ? "The drawing process ended" : state.summary);
  put("#status-checking", state.checking && `Verdicts follow: ${state.checking}`);
  put("#status-unchecked", state.unchecked && `Without verdicts: ${state.unchecked}`);
  put("#status-error", state.error);
  one("#status-error").hidden = !state.error;
  one("#stop").hidden = !busy;
  bar.hidden = !busy;
  if (state.state === "drawing" && state.of) {
    bar.max = state.of;
    bar.value = state.done + (state.steps ? Math.min(state.step / state.steps, 1) : 0);
  } else {
    bar.removeAttribute("value");
  }
}

function put(selector, text) {
  const element = one(selector);
  if (element.textContent !== text) element.textContent = text;
}

async function fetchNew(revision) {
  const page = await load(`/generate/drawn?${new URLSearchParams({ run, after: drawn.dataset.revision })}`);
  drawn.dataset.revision = revision;
  for (const fresh of every(".batch", page).reverse()) {
    const there = one(`#${fresh.id}`);
    if (there) merge(there, fresh);
    else drawn.prepend(document.adoptNode(fresh));
  }
  one("#nothing").hidden = Boolean(one(".batch"));
  one("#clear").hidden = !one(".batch");
  if (!currentTile()?.isConnected && !document.activeElement?.closest("form, dialog")) {
    const tile = one(".drawn");
    if (tile) focusTile(tile);
  }
}

// Tiles that are there stay, and the focus with them; what is said of them is exchanged.
function merge(batch, fresh) {
  one("header", batch).replaceWith(one("header", fresh));
  for (const tile of every(".drawn", fresh)) {
    const there = one(`.drawn[data-id="${tile.dataset.id}"]`, batch);
    if (!there) {
      one(".tiles", batch).append(tile);
    } else if (there.dataset.verdict !== tile.dataset.verdict || !one(".nearest", there)) {
      one(".finding", there).replaceWith(one(".finding", tile));
      for (const name of ["verdict", "caption"]) there.dataset[name] = tile.dataset[name];
      there.setAttribute("aria-label", tile.getAttribute("aria-label"));
    }
  }
  if (beside.open) showBeside();
}

// ---------------------------------------------------------------- keeping

function chosen(tile) {
  const selected = every(".drawn.selected");
  return selected.length ? selected : [tile].filter((one) => one?.dataset.picture);
}

async function keep(tile, { key }) {
  const tiles = chosen(tile);
  if (key && tiles.length === 1 && !beside.open) goOn(tile);
  for (const each of tiles) {
    mark(await tell("/generate/keep", { picture: each.dataset.picture }));
  }
  await refreshShelf();
}

async function drop(tile, { key }) {
  const tiles = chosen(tile).filter((each) => each.dataset.status === "keep");
  if (key && tiles.length === 1 && !beside.open) goOn(tile);
  for (const each of tiles) mark(await tell("/generate/drop", { file: each.dataset.file }), true);
  await refreshShelf();
}

async function takeBack(file) {
  mark(await tell("/generate/drop", { file }), true);
  await refreshShelf();
}

async function undo() {
  mark(await tell("/generate/undo"));
  await refreshShelf();
}

// Shows a picture as kept or not, and offers to take that back.
function mark(answer) {
  if (!answer?.file) return;
  for (const tile of every(`.drawn[data-file="${CSS.escape(answer.file)}"]`)) {
    tile.dataset.status = answer.kept ? "keep" : "undecided";
    one(".mark", tile).textContent = answer.kept ? "kept" : "";
    const words = tile.getAttribute("aria-label").replace(/, kept$/, "");
    tile.setAttribute("aria-label", answer.kept ? `${words}, kept` : words);
  }
  toast(answer.message, { undoable: !answer.message.startsWith("undid") });
}

function goOn(tile) {
  const tiles = every(".drawn");
  focusTile(tiles[Math.min(tiles.indexOf(tile) + 1, tiles.length - 1)]);
}

async function refreshShelf() {
  try {
    exchange(await load(location.href), ["#shelf"]);
  } catch {
    // The next keeping tries again.
  }
}

async function forget() {
  const state = await tell("/generate/clear");
  if (!state) return;
  every(".batch").forEach((batch) => batch.remove());
  drawn.dataset.revision = state.revision;
  one("#nothing").hidden = false;
  one("#clear").hidden = true;
}

// ---------------------------------------------------------------- one picture, large

function showBeside() {
  const tile = currentTile();
  if (!tile?.dataset.picture) return;
  one("#beside-title").textContent = `Seed ${tile.dataset.seed}${tile.dataset.label && `, ${tile.dataset.label}`}`;
  one("#beside-content").replaceChildren(...one(".beside", tile).cloneNode(true).children);
  if (!beside.open) {
    beside.showModal();
    beside.focus();
  }
}

beside.addEventListener("close", () => focusTile(currentTile()));
beside.addEventListener("click", (event) => event.target === beside && beside.close());
beside.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return event.stopPropagation(); // closes it, and means nothing else
  const move = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (!move) return;
  event.preventDefault();
  event.stopPropagation();
  const tiles = every(".drawn");
  const there = tiles[tiles.indexOf(currentTile()) + move];
  if (!there) return;
  focusTile(there);
  beside.focus();
  showBeside();
});
drawn?.addEventListener("dblclick", (event) => {
  if (!event.target.closest(".frame")) return;
  event.stopPropagation(); // not the zoom of the other screens
  showBeside();
});

// ---------------------------------------------------------------- keys

const nothing = () => {}; // what these keys do elsewhere is about collected pictures

register({
  acts: {
    draw: () => form && draw(),
    next: () => form && next(),
    stop,
    dice: () => setSeed(Math.floor(Math.random() * 2 ** 32)),
    like, keep, undo, forget,
    reject: drop,
    "take-back": (_tile, { value }) => takeBack(value),
    zoom: () => (beside.open ? beside.close() : showBeside()),
    open: showBeside,
    edit: () => one("select, input", form)?.focus(),
    stars: nothing, label: nothing, caption: nothing, whole: nothing,
  },
  keys: { D: "draw", N: "next", S: "stop", m: "like", e: "edit" },
});

if (form) {
  form.addEventListener("input", follow);
  form.addEventListener("change", follow); // not every way to choose from a list is an input
  form.addEventListener("submit", (event) => {
    event.preventDefault(); // Enter in a field
    keepAddress();
    draw();
  });
  watch();
}
