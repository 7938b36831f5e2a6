// Duplicates: the slider with its counts, and two pictures of a group large in one frame, with the
// same zoom and place in every view. Judging is done by app.js; it acts on the picture shown.
import { act, currentTile, every, focusTile, keyOf, leavePage, load, number, one, refreshSoon, register } from "./app.js";
import { beginAtTop } from "./beginning.js";

const dialog = one("#compare");
const stage = one("#stage");
const tilesOf = (group) => every(".tile", group);

// ---------------------------------------------------------------- the radius and its counts

const slider = one("#radius");
const counted = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
let going = 0;

function tellRadius() {
  const table = JSON.parse(one("#radius-table").dataset.table);
  const found = table.find((line) => line.radius === Number(slider.value));
  const row = found?.groups || !("busy" in one("#pending").dataset) ? found : null; // too early to tell
  const text = row
    ? `${counted(row.radius, "bit")}: ${counted(row.groups, "group")}, ${row.to_decide.toLocaleString("en")} to decide; ${counted(row.would_go, "picture")} would go`
    : counted(Number(slider.value), "bit");
  one("#radius-says").textContent = text;
  slider.setAttribute("aria-valuetext", text);
}

function goSoon() {
  clearTimeout(going);
  going = setTimeout(() => {
    const address = new URL(location.href);
    if (address.searchParams.get("radius") === slider.value) return;
    address.searchParams.set("radius", slider.value);
    address.searchParams.delete("after");
    if (document.activeElement === slider) sessionStorage.setItem("radius-focused", "yes");
    leavePage(() => location.assign(address));
  }, 450);
}

function moveRadius(by) {
  slider.value = Number(slider.value) + by;
  tellRadius();
  goSoon();
}

slider.addEventListener("input", () => {
  clearTimeout(going); // still on its way
  tellRadius();
});
slider.addEventListener("change", goSoon);
one("#radius-form").classList.add("live");
tellRadius();
new MutationObserver(tellRadius).observe(one("#radius-form"), { childList: true }); // counts that came anew
if (sessionStorage.getItem("radius-focused")) {
  sessionStorage.removeItem("radius-focused");
  slider.focus();
}

// New pictures are compared behind the page: look again until that is done.
const began = one("#pending").dataset.state;

async function watchPending() {
  if (!("busy" in one("#pending").dataset)) return;
  try {
    const fresh = one("#pending", await load(location.href));
    if (fresh && "busy" in fresh.dataset) {
      one("#pending").textContent = fresh.textContent;
    } else if (!one(".group")) {
      return leavePage(() => location.reload());
    } else {
      refreshSoon();
      return setTimeout(offerNew, 1500);
    }
  } catch {
    // The app does not answer; ask again.
  }
  setTimeout(watchPending, 1500);
}

function offerNew() {
  const line = one("#pending");
  if (line.dataset.state === began) return;
  const link = Object.assign(document.createElement("a"), { href: location.href });
  link.textContent = "Compared. Show the groups as they are now";
  line.replaceChildren(link);
}

setTimeout(watchPending, 1000);

// ---------------------------------------------------------------- chains

function markParts(group) {
  const parts = JSON.parse(group.dataset.parts ?? "[]");
  parts.forEach((part, i) => {
    for (const id of part) {
      const tile = one(`.tile[data-id="${id}"]`, group);
      if (tile) tile.dataset.part = String.fromCharCode(65 + (i % 26));
    }
  });
}

function takeApart(tile) {
  const group = tile?.closest(".group");
  const parts = JSON.parse(group?.dataset.parts ?? "[]");
  if (parts.length > 1) act("/duplicates/parts", { parts }, tilesOf(group));
}

new MutationObserver(() => every(".group[data-parts]").forEach(markParts)).observe(one(".stream"), { childList: true });
every(".group[data-parts]").forEach(markParts);

// ---------------------------------------------------------------- what is compared

const state = { keeper: null, other: null, keeperOnTop: false, view: "flip" };
const place = { scale: 1, x: 0, y: 0, fitted: true }; // screen px per px of the keeper; its corner

const picture = (tile) => one("img", tile);
const size = (tile) => ({ width: Number(picture(tile).getAttribute("width")), height: Number(picture(tile).getAttribute("height")) });
const shown = () => (state.keeperOnTop ? state.keeper : state.other); // what the keys act on

// What is larger than the ordinary large version is looked at in full.
function address(tile) {
  const { width, height } = size(tile);
  return Math.max(width, height) > 1600 ? tile.dataset.large.replace("/large-v", "/full-v") : tile.dataset.large;
}

function open(tile, view) {
  if (!tile?.closest(".group")) return;
  state.view = view;
  pair(tile);
  if (!dialog.open) dialog.showModal();
  dialog.focus();
  setView(view);
  follow();
}

function pair(tile) {
  const group = tile.closest(".group");
  const tiles = tilesOf(group);
  const keeper = tiles.find((one_) => number(one_) === Number(group.dataset.keeper)) ?? tiles[0];
  const fresh = keeper !== state.keeper;
  state.keeper = keeper;
  if (tile !== keeper) {
    Object.assign(state, { other: tile, keeperOnTop: false });
  } else {
    if (fresh || !group.contains(state.other)) state.other = tiles.find((one_) => one_ !== keeper) ?? keeper;
    state.keeperOnTop = true;
  }
  return fresh;
}

// After a judgement app.js goes on to the next group: so does the comparison.
function follow() {
  const tile = currentTile();
  if (!dialog.open || !tile?.closest(".group")) return;
  if (tile === shown() && state.keeper?.isConnected) return render();
  if (pair(tile)) place.fitted = true;
  render();
}

function step(by) {
  const tiles = tilesOf(state.keeper.closest(".group")).filter((tile) => tile !== state.keeper);
  if (!tiles.length) return;
  const there = (tiles.indexOf(state.other) + by + tiles.length) % tiles.length;
  focusTile(tiles[there]);
}

function stepGroup(by) {
  const groups = every(".group");
  const next = groups[groups.indexOf(state.keeper.closest(".group")) + by];
  if (next) focusTile(one(".tile", next));
}

function flip() {
  if (state.view !== "flip") return setView("flip");
  focusTile(state.keeperOnTop ? state.other : state.keeper);
}

function setView(view) {
  state.view = view;
}

// ---------------------------------------------------------------- drawing it

function render() {
  if (!state.keeper) return;
  const { keeper, other, view } = state;
  const [first, second] = every(".pane", stage);
  dialog.dataset.view = view;
  second.hidden = view !== "beside";
  const over = one(".over", first);
  put(one(".under", first), keeper);
  put(over, other);
  put(one(".under", second), other);
  over.hidden = view === "beside" || (view === "flip" && state.keeperOnTop);
  one(".gain", dialog).hidden = view !== "difference";
  const gain = 2 ** Number(one("#gain").value);
  one(".sheet", first).style.filter = view === "difference" ? `brightness(${gain})` : "";
  one(".tag", first).textContent = { difference: `difference × ${gain}`, beside: told(keeper), flip: told(shown()) }[view];
  one(".tag", second).textContent = told(other);
  for (const pane of [first, second]) {
    const acted = view === "beside" && pane === (state.keeperOnTop ? first : second);
    pane.classList.toggle("acted-on", acted);
    if (acted) one(".tag", pane).textContent += " · keys act here";
  }
  tellGroup();
  tellSides();
  if (place.fitted) fit();
  layOut();
}

const told = (tile) => `#${tile.dataset.id}${tile === state.keeper ? ", suggested" : ""}`;

function put(img, tile) {
  const source = address(tile);
  if (img.getAttribute("src") !== source) img.src = source;
  img.alt = picture(tile).alt;
  const { width, height } = size(state.keeper);
  const own = size(tile);
  // Copies of one shape lie exactly on each other; a cropped one keeps its own.
  const same = Math.abs((width * own.height) / (height * own.width) - 1) < 0.02;
  img.style.objectFit = same ? "fill" : "contain";
}

function tellGroup() {
  const group = state.keeper.closest(".group");
  const tiles = tilesOf(group);
  const groups = every(".group");
  one("#compare-title").textContent = `${tiles.length} alike (group ${groups.indexOf(group) + 1} of ${groups.length} on this page)`;
  one("#compare-reason").textContent = `Suggested: #${group.dataset.keeper}, ${group.dataset.reason}.`;
  for (const button of every("[data-view]", dialog)) {
    button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
  }
  one("footer [data-act=parts]", dialog).hidden = !group.dataset.parts;
  name("best", `Keep best, #${group.dataset.keeper}`);
  name("only", `Only #${shown().dataset.id}`);
  name("split", `Not #${shown().dataset.id}`);
  one("#members").replaceChildren(...tiles.map(memberButton));
  const next = groups[groups.indexOf(group) + 1];
  for (const tile of next ? tilesOf(next).slice(0, 2) : []) new Image().src = address(tile);
}

const name = (act_, text) => (one(`footer [data-act=${act_}]`, dialog).firstChild.textContent = `${text} `);

function memberButton(tile) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Show picture ${told(tile)}`);
  button.setAttribute("aria-pressed", String(tile === shown()));
  button.dataset.status = tile.dataset.status;
  if (tile.dataset.part) button.dataset.part = tile.dataset.part;
  button.classList.toggle("apart", tile.classList.contains("apart"));
  const img = document.createElement("img");
  img.src = picture(tile).getAttribute("src");
  img.alt = "";
  button.append(img);
  button.addEventListener("click", () => focusTile(tile));
  return button;
}

// What makes one value of a fact better than the other, as a number; other facts only differ.
const WORTH = {
  Size: (text) => text.split("×").reduce((a, b) => a * Number(b), 1),
  "True detail": parseFloat,
  Sharpness: parseFloat,
  Compression: (text) => parseFloat(text.replace("quality", "")),
  Faults: (text) => (text === "none" ? 0 : -text.split(", ").length),
};

function tellSides() {
  const facts = (tile) => one(`.compared[data-of="${tile.dataset.id}"]`, tile.closest(".group"));
  const texts = [state.keeper, state.other].map((tile) => every("dd", facts(tile)).map((dd) => dd.textContent));
  every(".side", dialog).forEach((side, i) => {
    const tile = i ? state.other : state.keeper;
    const verdict = [one(".mark", tile).textContent, tile.classList.contains("apart") ? "not one of them" : ""];
    one("h3", side).textContent = [told(tile), ...verdict].filter(Boolean).join(" · ");
    side.dataset.status = tile.dataset.status;
    side.classList.toggle("shown", tile === shown());
    const list = facts(tile).cloneNode(true);
    every("dd", list).forEach((dd, row) => {
      if (texts[0][row] === texts[1][row] || dd.previousElementSibling.textContent === "Distance") return;
      const worth = WORTH[dd.previousElementSibling.textContent];
      dd.classList.add("differs");
      dd.classList.toggle("better", Boolean(worth) && worth(texts[i][row]) > worth(texts[1 - i][row]));
      dd.previousElementSibling.classList.add("differs");
    });
    one("dl", side).replaceChildren(...list.childNodes);
  });
}

// ---------------------------------------------------------------- zoom and place

const box = () => one(".pane", stage).getBoundingClientRect();

function fit() {
  const { width, height } = size(state.keeper);
  const pane = box();
  place.scale = Math.min(pane.width / width, pane.height / height, 24);
  place.x = (pane.width - width * place.scale) / 2;
  place.y = (pane.height - height * place.scale) / 2;
  place.fitted = true;
}

// Zoom so that the point (x, y) of the pane stays where it is.
function zoomTo(scale, x = box().width / 2, y = box().height / 2) {
  const wanted = Math.min(Math.max(scale, 0.02), 64);
  place.x = x - ((x - place.x) * wanted) / place.scale;
  place.y = y - ((y - place.y) * wanted) / place.scale;
  place.scale = wanted;
  place.fitted = false;
  layOut();
}

function toggleZoom() {
  if (place.fitted) return zoomTo(1 / devicePixelRatio);
  fit();
  layOut();
}

function layOut() {
  const { width, height } = size(state.keeper);
  for (const sheet of every(".sheet", stage)) {
    // Whole pixels: a seam between two halves of one would show as a difference.
    sheet.style.width = `${Math.round(width * place.scale)}px`;
    sheet.style.height = `${Math.round(height * place.scale)}px`;
    sheet.style.transform = `translate(${Math.round(place.x)}px, ${Math.round(place.y)}px)`;
  }
  // The message stays clear of the buttons below the pictures.
  dialog.style.setProperty("--below", `${innerHeight - stage.getBoundingClientRect().bottom}px`);
  const percent = place.scale * devicePixelRatio * 100;
  stage.classList.toggle("pixels", percent >= 200);
  one("#compare-scale").textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

const zooms = { in: () => zoomTo(place.scale * 1.5), out: () => zoomTo(place.scale / 1.5), toggle: toggleZoom };

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const pane = event.target.closest(".pane")?.getBoundingClientRect() ?? box();
  const factor = Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 100) * 0.004);
  zoomTo(place.scale * factor, event.clientX - pane.left, event.clientY - pane.top);
}, { passive: false });

const fingers = new Map(); // where each pointer was last
let travelled = 0; // pixels since the last press

stage.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  stage.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  travelled = 0;
});
stage.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const after = [event.clientX, event.clientY];
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  fingers.set(event.pointerId, after);
  travelled += Math.hypot(after[0] - before[0], after[1] - before[1]);
  if (other) { // two fingers: pinch
    const span = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
    const pane = box();
    return zoomTo((place.scale * span(after)) / span(before), other[0] - pane.left, other[1] - pane.top);
  }
  place.x += after[0] - before[0];
  place.y += after[1] - before[1];
  place.fitted = false;
  layOut();
});
for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
}
// Beside each other, a press on a picture lets the keys act on it.
stage.addEventListener("pointerup", (event) => {
  if (state.view !== "beside" || travelled > 4) return;
  const pane = document.elementFromPoint(event.clientX, event.clientY)?.closest(".pane");
  if (!pane) return;
  focusTile(pane === one(".pane", stage) ? state.keeper : state.other);
  follow();
});
addEventListener("resize", () => {
  if (!dialog.open) return;
  if (place.fitted) fit();
  layOut();
});

// ---------------------------------------------------------------- keys

let held = 0; // since when the flip key is down

const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => stepGroup(-1), ArrowDown: () => stepGroup(1),
  f: flip, " ": flip, d: () => setView("difference"), v: () => setView("beside"), z: toggleZoom,
  "+": zooms.in, "=": zooms.in, "-": zooms.out,
};

// Before app.js sees it: in here arrows and the space bar have another meaning.
document.addEventListener("keydown", (event) => {
  if (!dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (one("dialog[open]:not(#compare)")) return; // a question above it
  if (event.key === "Escape") return event.stopPropagation(); // the dialog closes itself
  setTimeout(follow); // whatever the key does elsewhere
  if (event.target.matches("input") && event.key.startsWith("Arrow")) return event.stopPropagation();
  const key = keyOf(event);
  if (!KEYS[key] || (event.target.matches("button") && key === " ")) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.repeat && (key === "f" || key === " ")) return;
  if (key === "f" || key === " ") held = event.timeStamp;
  KEYS[key]();
}, true);

document.addEventListener("keyup", (event) => {
  const key = event.key.toLowerCase();
  if (!dialog.open || !held || (key !== "f" && key !== " ")) return;
  if (event.timeStamp - held > 350 && state.view === "flip") flip(); // held down: only as long
  held = 0;
  follow();
});

dialog.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.view) setView(button.dataset.view);
  if (button?.dataset.zoom) zooms[button.dataset.zoom]();
  if (button && "close" in button.dataset) return dialog.close();
  if (button) dialog.focus({ preventScroll: true }); // so that keys go on
  setTimeout(follow);
});
one("#gain").addEventListener("input", render);
dialog.addEventListener("close", () => focusTile(currentTile()));
// What the server has on disk shows here, too.
new MutationObserver(follow).observe(one(".stream"), { subtree: true, attributes: true, attributeFilter: ["data-status", "class"] });

register({
  acts: {
    compare: (tile) => open(tile, "flip"),
    difference: (tile) => open(tile, "difference"),
    beside: (tile) => open(tile, "beside"),
    parts: takeApart,
    stricter: () => moveRadius(-1),
    looser: () => moveRadius(1),
  },
  keys: { f: "compare", d: "difference", v: "beside", S: "parts", "[": "stricter", "]": "looser" },
});
beginAtTop();
