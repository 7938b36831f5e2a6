// What all pages do in the browser. The server renders everything; this file moves the focus,
// posts judgements one after the other, and shows a new state only when the server has it on disk.
// A screen's own script adds its acts and keys with `register`.

export const one = (selector, root = document) => root.querySelector(selector);
export const every = (selector, root = document) => [...root.querySelectorAll(selector)];

const MARKS = { keep: "kept", reject: "rejected", undecided: "" };
const zoom = one("#zoom");
const help = one("#help");

let current = null; // the tile that the keys act on
let anchor = null; // where a selected range begins

// ---------------------------------------------------------------- talking to the server

let token = one("meta[name=csrf-token]").content;
let queue = Promise.resolve(); // one action after the other, so that undo means the last one

export function post(path, body) {
  const answer = queue.then(() => send(path, body, true));
  queue = answer.catch(() => {});
  return answer;
}

async function send(path, body, mayRetry) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error("not saved: the app does not answer; is it still running?");
  }
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (response.ok) return answer;
  if (answer.code === "token" && mayRetry) {
    // The app was restarted since this page was loaded: fetch its new token and try once more.
    token = one("meta[name=csrf-token]", await load(location.href)).content;
    return send(path, body, false);
  }
  throw new Error(`not saved: ${answer.error}`);
}

export async function load(address, { headers = {}, signal } = {}) {
  const response = await fetch(address, { headers: { Accept: "text/html", ...headers }, signal });
  if (!response.ok) throw new Error(`the app answered ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// ---------------------------------------------------------------- showing what happened

let toastTimer = 0;
let toastOver = null;

export function toast(text, { failed = false, undoable = false } = {}) {
  one("#toast-text").textContent = text;
  one("#toast-undo").hidden = !undoable;
  one("#toast").classList.toggle("failed", failed);
  one("#said").textContent = text;
  const under = one("dialog[open]");
  if (!one("#toast").matches(":popover-open") || under !== toastOver) {
    one("#toast").hidePopover(); // shown anew, it lies above a dialog that was opened since
    one("#toast").showPopover();
    toastOver = under;
  }
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => one("#toast").hidePopover(), failed ? 15000 : 6000);
}

// What was said of pairs on this page: "3 7" -> different. The first tile of a group is its keeper.
const verdicts = new Map();
const pairKey = (a, b) => [a, b].sort((x, y) => x - y).join(" ");

export function show(pictures, pairs = []) {
  for (const pair of pairs) verdicts.set(pairKey(pair.a, pair.b), pair.verdict);
  for (const picture of pictures) {
    for (const tile of every(`.tile[data-id="${picture.id}"]`)) {
      tile.dataset.status = picture.status;
      tile.dataset.stars = picture.stars;
      one(".mark", tile).textContent = MARKS[picture.status];
      const stars = one(".stars", tile);
      if (stars) stars.textContent = "★".repeat(picture.stars);
      const reason = one(".reason", tile);
      if (reason) reason.textContent = picture.reason;
      const label = one(".label", tile);
      if (label) label.textContent = picture.label;
      tile.dataset.label = picture.label;
      if (picture.caption) {
        tile.dataset.caption = picture.caption;
        const caption = one(".caption", tile);
        if (caption) caption.textContent = picture.caption;
      }
    }
  }
  every(".group").forEach(markGroup);
  showRating();
  if (zoom.open) showZoom();
}

function markGroup(group) {
  const keeper = Number(group.dataset.keeper);
  const others = every(".tile", group).filter((tile) => number(tile) !== keeper);
  for (const tile of others) {
    tile.classList.toggle("apart", verdicts.get(pairKey(keeper, number(tile))) === "different");
  }
  const apart = others.length > 0 && others.every((tile) => tile.classList.contains("apart"));
  group.classList.toggle("decided", apart || !one('.tile[data-status="undecided"]:not(.apart)', group));
}

// On the picture's own page: as many stars lit as it has.
function showRating() {
  const stars = Number(one(".single .tile")?.dataset.stars ?? 0);
  for (const button of every(".rating button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.value) <= stars));
  }
}

// Counts and histories are rendered by the server: fetch the page again and exchange those parts.
let refreshTimer = 0;
let refreshing = new AbortController();

export function refreshSoon() {
  clearTimeout(refreshTimer);
  refreshing.abort(); // whoever judges on needs the machine more than the counts do
  refreshTimer = setTimeout(async () => {
    refreshing = new AbortController();
    try {
      // The header asks for the page without its pictures, where it knows how to.
      const page = await load(location.href, { headers: { "X-Refresh": "1" }, signal: refreshing.signal });
      for (const part of every("[data-refresh]")) {
        const fresh = one(`#${part.id}`, page);
        if (!fresh) continue;
        if (part.tagName === "DETAILS") fresh.open = part.open;
        part.replaceWith(fresh);
      }
    } catch {
      // The counts stay as they were; the next action tries again.
    }
  }, 700);
}

// ---------------------------------------------------------------- where the keys act

export function focusTile(tile) {
  if (!tile) return;
  if (current) {
    current.classList.remove("current");
    current.tabIndex = -1;
  }
  current = tile;
  tile.classList.add("current");
  tile.tabIndex = 0;
  if (zoom.open) {
    showZoom();
  } else {
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
  }
}

function columns(tiles) {
  const other = tiles.findIndex((tile) => tile.offsetTop !== tiles[0].offsetTop);
  return other < 0 ? tiles.length : other;
}

function step(key, extend) {
  const beside = { ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling" }[key];
  if (beside && !extend && current?.[beside]?.matches(".tile")) return focusTile(current[beside]);
  const tiles = every(".tile");
  const here = tiles.indexOf(current);
  const group = current?.closest(".group");
  const down = key === "ArrowDown";
  if (here < 0) return focusTile(tiles[0]);
  if (group && (down || key === "ArrowUp")) {
    const groups = every(".group");
    const next = groups[groups.indexOf(group) + (down ? 1 : -1)];
    return next && focusTile(one(".tile", next));
  }
  const row = zoom.open || group ? 1 : columns(tiles);
  const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[key];
  const there = down ? Math.min(here + move, tiles.length - 1) : here + move;
  if (extend && !anchor) anchor = current;
  focusTile(tiles[there]);
  if (extend) selectRange(anchor, current);
}

function selectRange(from, to) {
  const tiles = every(".tile");
  const [first, last] = [tiles.indexOf(from), tiles.indexOf(to)].sort((a, b) => a - b);
  tiles.forEach((tile, i) => tile.classList.toggle("selected", i >= first && i <= last));
  showSelection();
}

function clearSelection() {
  anchor = null;
  every(".tile.selected").forEach((tile) => tile.classList.remove("selected"));
  showSelection();
}

function showSelection() {
  const count = every(".tile.selected").length;
  one("#chosen").hidden = count === 0;
  one("#chosen-count").textContent = `${count} selected`;
}

// ---------------------------------------------------------------- actions

export async function act(path, body, tiles) {
  tiles.forEach((tile) => tile.classList.add("waiting"));
  try {
    const answer = await post(path, body);
    show(answer.pictures, answer.pairs);
    toast(answer.message, { undoable: path !== "/undo" && answer.batch !== null });
    document.dispatchEvent(new CustomEvent("acted", { detail: { path, body, answer } }));
    if (answer.reload) return location.reload();
    refreshSoon();
    return answer;
  } catch (error) {
    toast(error.message, { failed: true });
    return null;
  } finally {
    tiles.forEach((tile) => tile.classList.remove("waiting"));
  }
}

export const number = (tile) => Number(tile.dataset.id);
export const currentTile = () => current;

// Keep, reject or rate the selection if there is one, else the one tile; then go on.
function judge(verb, tile, { stars, goOn = false } = {}) {
  const selected = every(".tile.selected");
  const tiles = chosenTiles(tile);
  if (!tiles.length) return;
  const body = { verb, ids: tiles.map(number) };
  if (verb === "stars") body.stars = stars;
  act("/judge", body, tiles);
  clearSelection();
  if (goOn && !selected.length && !one(".single")) step("ArrowRight", false);
}

function judgeGroup(act_, tile) {
  const group = tile?.closest(".group");
  if (!group) return;
  const tiles = every(".tile", group);
  const members = tiles.map(number);
  const keeper = act_ === "only" ? number(tile) : Number(group.dataset.keeper);
  // What was told apart from the one that stays is not of the group any more.
  const alike = members.filter((n) => n === keeper || verdicts.get(pairKey(keeper, n)) !== "different");
  if (act_ === "split") {
    const rest = tiles[tiles.indexOf(tile) + 1];
    act("/duplicates/different", { picture: number(tile), members }, [tile]);
    if (rest) return focusTile(rest);
  } else if (act_ === "different") act("/duplicates/different", { members }, tiles);
  else if (act_ === "all") act("/duplicates/keep-all", { members: alike }, tiles);
  else if (alike.length === 1) act("/judge", { verb: "keep", ids: alike }, tiles);
  else act("/duplicates/keep-best", { keeper, members: alike }, tiles);
  const groups = every(".group");
  const later = groups.slice(groups.indexOf(group) + 1);
  focusTile(one(".tile", later.find((other) => !other.classList.contains("decided")) ?? group));
}

function showZoom() {
  if (!current) return;
  const { id, large, caption, status, stars } = current.dataset;
  one("#zoom-picture").src = large;
  one("#zoom-picture").alt = caption || `picture ${id}`;
  one("#zoom-link").textContent = `#${id}`;
  one("#zoom-link").href = one(".frame", current).href;
  one("#zoom-mark").textContent = [MARKS[status], "★".repeat(Number(stars))].join(" ").trim();
  one("#zoom-caption").textContent = caption;
  zoom.dataset.status = status;
  // The next one is fetched while this one is looked at.
  const next = current.nextElementSibling;
  if (next?.matches(".tile")) new Image().src = next.dataset.large;
}

function toggleZoom() {
  if (zoom.open) return zoom.close();
  if (!current) return;
  showZoom();
  zoom.showModal();
  zoom.focus(); // and not the first link in it, which would take Space and Enter
}

zoom.addEventListener("close", () => focusTile(current));
zoom.addEventListener("click", () => zoom.close());
help.addEventListener("click", (event) => event.target === help && help.close());

function goBack() {
  if (every(".tile.selected").length) return clearSelection();
  one("a.back")?.click();
}

// A question in a dialog, such as the class of the selection; empty answers are answers, too.
function ask(kind, tile) {
  const dialog = one(`#ask-${kind}`);
  const tiles = chosenTiles(tile);
  if (!dialog || !tiles.length) return;
  const field = one("[name=value]", dialog);
  field.value = tiles.length === 1 ? (tiles[0].dataset[kind] ?? "") : "";
  one("[data-of]", dialog).textContent = tiles.length === 1 ? `#${number(tiles[0])}` : `${tiles.length} pictures`;
  dialog.onclose = () => {
    if (dialog.returnValue !== "save") return focusTile(current);
    act("/judge", { verb: kind, ids: tiles.map(number), [kind]: field.value.trim() }, tiles);
    clearSelection();
    focusTile(current);
  };
  dialog.returnValue = "";
  dialog.showModal();
  field.select();
}

function chosenTiles(tile) {
  const selected = every(".tile.selected");
  return selected.length ? selected : [tile].filter(Boolean);
}

function askName() {
  const dialog = one("#ask-name");
  dialog.onclose = async () => {
    if (dialog.returnValue !== "save") return;
    try {
      await post("/who", { who: one("[name=value]", dialog).value });
      location.reload();
    } catch (error) {
      toast(error.message, { failed: true });
    }
  };
  dialog.returnValue = "";
  dialog.showModal();
  one("[name=value]", dialog).select();
}

// One action on everything that the filter holds, also what is not on this page.
function judgeWhole(value) {
  const form = one("#whole-form");
  const body = { verb: value, filter: JSON.parse(form.dataset.filter), count: Number(form.dataset.count) };
  if (value === "label") body.label = one("[name=label]", form).value.trim();
  if (value === "stars") body.stars = Number(one("[name=stars]", form).value);
  one("#whole").close();
  act("/judge", body, every(".tile"));
}

const ACTS = {
  keep: (tile, { key }) => judge("keep", tile, { goOn: key }),
  reject: (tile, { key }) => judge("reject", tile, { goOn: key }),
  stars: (tile, { value }) => judge("stars", tile, { stars: Number(value) }),
  best: (tile) => judgeGroup("best", tile),
  only: (tile) => judgeGroup("only", tile),
  all: (tile) => judgeGroup("all", tile),
  different: (tile) => judgeGroup("different", tile),
  split: (tile) => judgeGroup("split", tile),
  label: (tile) => ask("label", tile),
  caption: (tile) => ask("caption", tile),
  "select-page": () => (every(".tile").forEach((tile) => tile.classList.add("selected")), showSelection()),
  whole: () => one("#whole")?.showModal(),
  "do-whole": (tile, { value }) => judgeWhole(value),
  "close": () => every("dialog[open]").forEach((dialog) => dialog.close()),
  name: askName,
  undo: () => act("/undo", {}, []),
  clear: clearSelection,
  back: goBack,
  zoom: toggleZoom,
  open: (tile) => tile && !one(".single") && one(".frame", tile).click(),
  search: () => (one("#search").focus(), one("#search").select()),
  actual: () => zoom.classList.toggle("actual", zoom.open && !zoom.classList.contains("actual")),
  help: () => (help.open ? help.close() : help.showModal()),
};

const KEYS = {
  k: "keep", x: "reject", u: "undo", l: "label", c: "caption", w: "whole", z: "actual", " ": "zoom",
  b: "best", o: "only", a: "all", n: "different", s: "split", Enter: "open", "/": "search",
  "?": "help", Escape: "back",
};

// What a screen adds: acts by name, fn(tile, {key, value}), and which key calls which.
export function register({ acts = {}, keys = {} }) {
  Object.assign(ACTS, acts);
  Object.assign(KEYS, keys);
}

// ---------------------------------------------------------------- keys and clicks

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.matches("input:not([type=range]), textarea, select")) {
    if (key === "Escape") target.blur();
    return;
  }
  if (help.open && key !== "?") return;
  if (one("dialog[open]:not(#help, #zoom, [data-keys])")) return; // a question is answered first
  if (zoom.open && key === "Escape") return; // the dialog closes itself
  if (target.matches("button, a, summary") && (key === " " || key === "Enter")) return;
  if (key.startsWith("Arrow")) {
    if (target.matches("input[type=range]")) return;
    const link = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" }[key];
    if (one(".single")) link && one(link)?.click();
    else step(key, event.shiftKey);
    if (!one(".single")) event.preventDefault();
    return;
  }
  const rating = /^[0-5]$/.test(key);
  const name = rating ? "stars" : KEYS[key.length === 1 ? key.toLowerCase() : key];
  if (!name) return;
  event.preventDefault();
  if (event.repeat && name !== "undo") return; // a held key judges one picture, not the whole row
  ACTS[name](current, { key: true, value: key });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  const tile = event.target.closest(".tile");
  if (button) {
    const group = button.closest(".group");
    const meant = tile ?? (group ? one(".tile", group) : current);
    if (tile) focusTile(tile);
    ACTS[button.dataset.act](meant, { value: button.dataset.value });
    if (!tile && current) current.focus({ preventScroll: true });
    return;
  }
  const plain = !event.ctrlKey && !event.metaKey && event.isTrusted;
  if (!tile || event.target.closest("a:not(.frame), dl") || !plain) return;
  event.preventDefault(); // a click on the picture chooses it; a double click zooms
  if (event.shiftKey) selectRange((anchor ??= current ?? tile), tile);
  focusTile(tile);
});

document.addEventListener("dblclick", (event) => {
  if (event.target.closest(".frame")) toggleZoom();
});

// Order and place of the grid: chosen at once, without a button.
document.addEventListener("change", (event) => {
  const form = event.target.matches("[data-submit]") && event.target.form;
  if (!form) return;
  if (event.target.name === "sort" && form.at) form.at.disabled = true;
  form.requestSubmit();
});

document.addEventListener("input", (event) => {
  if (event.target.name !== "at") return;
  const total = Number(event.target.dataset.total);
  const place = Math.max(1, Math.round((total * Number(event.target.value)) / 100));
  one("#place").textContent = `${place.toLocaleString("en")} of ${total.toLocaleString("en")}`;
});

// ---------------------------------------------------------------- endless scroll

let loading = false;

const watcher = new IntersectionObserver(
  (entries) => entries.some((entry) => entry.isIntersecting) && more(),
  { rootMargin: "1500px" },
);

async function more() {
  const link = one("[data-more]");
  if (!link || loading) return;
  loading = true;
  watcher.unobserve(link);
  try {
    const page = await load(link.href);
    one(".stream").append(...one(".stream", page).children);
    const next = one("[data-more]", page);
    if (next) link.href = next.href;
    else link.parentElement.remove();
  } catch {
    toast("the next page did not come; click “More” to try again", { failed: true });
    return;
  } finally {
    loading = false;
  }
  if (link.isConnected) watcher.observe(link); // tells at once if it is still near the window
}

if (one("[data-more]")) watcher.observe(one("[data-more]"));
if (matchMedia("(max-width: 760px)").matches && one("#facets")) one("#facets").open = false;
every(".group").forEach(markGroup);
showRating();
focusTile(one(".tile"));
