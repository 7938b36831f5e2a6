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
let pending = 0; // actions that the server has not answered yet
let failures = 0;

export function post(path, body) {
  pending += 1;
  const answer = queue.then(() => send(path, body, true)).finally(() => (pending -= 1));
  queue = answer.catch(() => (failures += 1));
  return answer;
}

const LONGEST_KEPT_ALIVE = 30_000; // a browser holds 64 kB of such requests at a time

async function send(path, body, mayRetry) {
  let response;
  const text = JSON.stringify(body);
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
      body: text,
      keepalive: text.length < LONGEST_KEPT_ALIVE, // arrives even when the page is closed meanwhile
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
  if (response.redirected) throw new Error("you are not logged in any more; reload the page and log in");
  if (!response.ok) throw new Error(`the app answered ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// Exchanges parts of this page, each found by its selector, for those of a page that was fetched.
export function exchange(page, selectors) {
  for (const selector of selectors) {
    const [part, fresh] = [one(selector), one(selector, page)];
    if (part && fresh) part.replaceWith(fresh);
  }
}

// ---------------------------------------------------------------- leaving the page

let leaving = false; // keys typed now would mean the next page, which is not here yet

// Goes on when everything that was judged here is saved; what was refused is shown here instead.
export async function leavePage(go) {
  const before = failures;
  setLeaving(true);
  while (pending) await queue;
  if (failures > before) return setLeaving(false);
  keepPlace();
  go();
  setTimeout(setLeaving, 5000, false); // if the next page does not come, this one goes on
}

function setLeaving(now) {
  leaving = now;
  document.body.classList.toggle("leaving", now);
}

// A plain click, or a key's, on a link to another page.
function follow(event) {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || link.origin !== location.origin) return;
  if (link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  leavePage(() => location.assign(link.href));
}

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || form.method === "dialog" || !pending) return;
  event.preventDefault();
  leavePage(() => form.requestSubmit(submitter));
});

// Before the keys of any screen.
addEventListener("keydown", (event) => leaving && event.stopImmediatePropagation(), true);
addEventListener("beforeunload", (event) => pending && event.preventDefault());
addEventListener("pageshow", () => setLeaving(false)); // back by the browser's own button

// ---------------------------------------------------------------- showing what happened

let toastTimer = 0;

export function toast(text, { failed = false, undoable = false } = {}) {
  one("#toast-text").textContent = text;
  one("#toast-undo").hidden = !undoable;
  one("#toast").classList.toggle("failed", failed);
  one("#said").textContent = text;
  if (!one("#toast").matches(":popover-open")) one("#toast").showPopover();
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => one("#toast").hidePopover(), failed ? 15000 : 6000);
}

// All but an open dialog is inert, to the pointer and to a screen reader: what is said moves into it.
new MutationObserver(() => {
  const place = every("dialog[open]").at(-1) ?? document.body;
  const parts = [one("#said"), one("#toast")];
  if (parts[0].parentNode === place) return;
  const shown = parts[1].matches(":popover-open");
  place.append(...parts);
  if (shown) parts[1].showPopover(); // anew: above the dialog
}).observe(document.body, { subtree: true, attributeFilter: ["open"] });

// A message for the page that is loaded next.
function tellNext(text, how) {
  sessionStorage.setItem("told", JSON.stringify([text, how]));
}

function tellFromBefore() {
  const told = sessionStorage.getItem("told");
  sessionStorage.removeItem("told");
  if (told) toast(...JSON.parse(told));
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
      tile.dataset.caption = picture.caption;
      const caption = one(".caption", tile);
      if (caption) caption.textContent = caption.title = picture.caption;
      one("img", tile).alt = picture.caption || picture.label || "picture without a caption";
      describe(tile);
    }
  }
  every(".group").forEach(markGroup);
  showRating();
  if (zoom.open) showZoom();
}

// What a screen reader says of a tile; the server begins it in the same words.
function describe(tile) {
  const { id, caption, label, status, stars } = tile.dataset;
  const is = (name, words) => tile.classList.contains(name) && words;
  const parts = [
    `Picture ${id}: ${caption || label || "no caption"}`,
    MARKS[status],
    stars > 0 && `${stars} star${stars === "1" ? "" : "s"}`,
    is("best", "suggested"),
    is("apart", "not one of them"),
    is("selected", "selected"),
  ];
  tile.setAttribute("aria-label", parts.filter(Boolean).join(", "));
}

function markGroup(group) {
  const keeper = Number(group.dataset.keeper);
  const others = every(".tile", group).filter((tile) => number(tile) !== keeper);
  for (const tile of others) {
    tile.classList.toggle("apart", verdicts.get(pairKey(keeper, number(tile))) === "different");
    describe(tile);
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
let refreshedAt = 0;

export function refreshSoon() {
  clearTimeout(refreshTimer);
  const now = performance.now();
  const late = now - refreshedAt > 2500; // counts must not stand still while somebody judges on
  if (!late) refreshing.abort(); // else whoever judges needs the machine more than the counts do
  refreshTimer = setTimeout(async () => {
    refreshedAt = performance.now();
    refreshing = new AbortController();
    try {
      // The header asks for the page without its pictures, where it knows how to.
      const page = await load(location.href, { headers: { "X-Refresh": "1" }, signal: refreshing.signal });
      every("[data-refresh]").forEach((part) => renew(part, one(`#${part.id}`, page)));
    } catch {
      // The counts stay as they were; the next action tries again.
    }
  }, late ? 150 : 700);
}

// What is typed stays: such a part is exchanged after the next action. The focus stays, too.
function renew(part, fresh) {
  if (!fresh || one("input:focus, select:focus, textarea:focus", part)) return;
  const focused = one(":focus", part);
  if (part.tagName === "DETAILS") fresh.open = part.open;
  part.replaceWith(fresh);
  const named = (control) => [control.getAttribute("href"), control.dataset.act].join(" ");
  const same = focused && every(focused.localName, fresh).find((other) => named(other) === named(focused));
  same?.focus({ preventScroll: true });
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
  clearTimeout(placeTimer);
  if (moved) placeTimer = setTimeout(keepPlace, 250); // browsers count how often the address changes
  moved = true;
}

// On the grid the address says where the keys act, so that reload and the way back lead there.
let placeTimer = 0;
let moved = false; // since the page was loaded, which puts the keys somewhere itself

function keepPlace() {
  clearTimeout(placeTimer);
  if (!placeTimer || !one(".grid-page .stream") || !current) return;
  const address = new URL(location);
  for (const place of ["after", "at"]) address.searchParams.delete(place);
  address.searchParams.set("here", current.dataset.id);
  if (address.href !== location.href) history.replaceState(null, "", address);
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
  if (here === 0 && (key === "ArrowLeft" || key === "ArrowUp") && one("[data-earlier]")) return earlier();
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
  select(tiles.slice(first, last + 1));
}

function select(tiles) {
  const before = every(".tile.selected");
  before.forEach((tile) => tile.classList.remove("selected"));
  tiles.forEach((tile) => tile.classList.add("selected"));
  new Set([...before, ...tiles]).forEach(describe);
  one("#chosen").hidden = tiles.length === 0;
  one("#chosen-count").textContent = `${tiles.length} selected`;
  if (tiles.length) one("#said").textContent = `${tiles.length} selected`;
}

function clearSelection() {
  anchor = null;
  select([]);
}

// ---------------------------------------------------------------- actions

export async function act(path, body, tiles) {
  tiles.forEach((tile) => tile.classList.add("waiting"));
  try {
    const answer = await post(path, body);
    show(answer.pictures, answer.pairs);
    if (path === "/undo") focusUndone(answer.pictures);
    tiles.forEach((tile) => tile.classList.remove("unsaved"));
    const how = { undoable: path !== "/undo" && answer.batch !== null };
    toast(answer.message, how);
    document.dispatchEvent(new CustomEvent("acted", { detail: { path, body, answer } }));
    if (answer.reload) {
      tellNext(answer.message, how);
      return leavePage(() => location.reload());
    }
    refreshSoon();
    return answer;
  } catch (error) {
    tiles.forEach((tile) => tile.classList.add("unsaved"));
    const left = every(".tile.unsaved");
    toast(left.length > 1 ? `${error.message} (${left.length} pictures wait, marked)` : error.message, { failed: true });
    if (left.length && !one("dialog[open]")) focusTile(left[0]); // where to go on when it works again
    return null;
  } finally {
    tiles.forEach((tile) => tile.classList.remove("waiting"));
  }
}

// The keys go back with what was undone, if it is on this page.
function focusUndone(pictures) {
  const tile = pictures.map(({ id }) => one(`.tile[data-id="${id}"]`)).find(Boolean);
  if (tile && !one(".rank-page, dialog[open][data-keys]")) focusTile(tile);
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
    act("/duplicates/different", { picture: number(tile), members }, [tile]);
    const rest = number(tile) === keeper ? [] : stillAlike(tiles, tile, alike);
    const next = rest.find((other) => number(other) !== keeper);
    if (next && rest.some((other) => other.dataset.status === "undecided")) return focusTile(next);
  } else if (act_ === "different") act("/duplicates/different", { members }, tiles);
  else if (act_ === "all") act("/duplicates/keep-all", { members: alike }, tiles);
  else if (alike.length === 1) act("/judge", { verb: "keep", ids: alike }, tiles);
  else act("/duplicates/keep-best", { keeper, members: alike }, tiles);
  const groups = every(".group");
  const later = groups.slice(groups.indexOf(group) + 1);
  focusTile(one(".tile", later.find((other) => !other.classList.contains("decided")) ?? group));
}

// What is left of a group when `tile` is taken out of it, from the one after it round to the one before.
function stillAlike(tiles, tile, alike) {
  const here = tiles.indexOf(tile);
  const others = [...tiles.slice(here + 1), ...tiles.slice(0, here)];
  return others.filter((other) => alike.includes(number(other)) && !other.classList.contains("waiting"));
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
zoom.addEventListener("click", (event) => event.target.closest("#toast, a") || zoom.close());
help.addEventListener("click", (event) => event.target === help && help.close());

function goBack() {
  if (every(".tile.selected").length) return clearSelection();
  one("a.back")?.click();
}

// A question in a dialog, such as the class of the selection; empty answers are answers, too.
function ask(kind, tile, typed = null) {
  const dialog = one(`#ask-${kind}`);
  const tiles = chosenTiles(tile);
  if (!dialog || !tiles.length) return;
  const field = one("[name=value]", dialog);
  const values = new Set(tiles.map((each) => each.dataset[kind] ?? ""));
  const before = values.size === 1 ? [...values][0] : ""; // an untouched field changes nothing
  field.value = typed ?? before;
  field.placeholder = values.size > 1 ? "several" : "";
  one("[data-of]", dialog).textContent = tiles.length === 1 ? `#${number(tiles[0])}` : `${tiles.length} pictures`;
  dialog.onclose = async () => {
    focusTile(current);
    const text = dialog.returnValue === "none" ? "" : field.value.trim();
    if (dialog.returnValue !== "none" && (dialog.returnValue !== "save" || text === before)) return;
    const answer = await act("/judge", { verb: kind, ids: tiles.map(number), [kind]: text }, tiles);
    if (answer) clearSelection();
    else ask(kind, tile, text); // nothing that was typed is lost
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
      leavePage(() => location.reload());
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
  const { filter, count } = one("#whole-title").dataset;
  const body = { verb: value, filter: JSON.parse(filter), count: Number(count) };
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
  // A question about everything: Enter at once must not be an answer.
  whole: () => one("#whole") && (one("#whole").showModal(), one("#whole [data-act=close]").focus()),
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
  help: () => (help.open ? help.close() : (help.showModal(), help.focus())),
};

const KEYS = {
  k: "keep", x: "reject", u: "undo", l: "label", c: "caption", w: "whole", z: "actual", " ": "zoom",
  b: "best", o: "only", a: "all", n: "different", s: "split", Enter: "open", "/": "search",
  "?": "help", Escape: "back",
};

// What a screen adds: acts by name, fn(tile, {key, value}), and which key calls which. A capital
// letter is the key with Shift: for what acts on many or starts something, since a small letter may
// be harmless on the next screen.
export function register({ acts = {}, keys = {} }) {
  Object.assign(ACTS, acts);
  Object.assign(KEYS, keys);
}

// ---------------------------------------------------------------- keys and clicks

// A key as `register` names it; the shift lock changes nothing.
export function keyOf({ key, shiftKey }) {
  if (key.length > 1) return key;
  return shiftKey ? key.toUpperCase() : key.toLowerCase();
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (key === "Enter" && !event.shiftKey && target.matches(".ask textarea")) {
    event.preventDefault(); // as in a field of one line; Shift+Enter begins a new one
    return target.form.requestSubmit(one("[value=save]", target.form));
  }
  if (target.matches("input:not([type=range]), textarea, select")) {
    if (key === "Escape") target.blur();
    return;
  }
  const wholePage = keyOf(event) === "a" && (event.ctrlKey || event.metaKey) && !event.altKey;
  if (wholePage && one(".tile") && !one(".single") && !one("dialog[open]")) {
    event.preventDefault();
    return select(every(".tile"));
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
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
  const name = rating ? "stars" : KEYS[keyOf(event)];
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
    if (!tile) (zoom.open ? zoom : current)?.focus({ preventScroll: true });
    return;
  }
  const plain = !event.ctrlKey && !event.metaKey && event.isTrusted;
  if (!tile || event.target.closest("a:not(.frame), dl") || !plain) return follow(event);
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
  } catch (error) {
    toast(`the next page did not come: ${error.message}`, { failed: true });
    return;
  } finally {
    loading = false;
  }
  if (link.isConnected) watcher.observe(link); // tells at once if it is still near the window
}

// The page before this one, above it; the keys go on to its last picture.
async function earlier() {
  const link = one("[data-earlier]");
  if (!link || loading) return;
  loading = true;
  try {
    const page = await load(link.href);
    const tiles = [...one(".stream", page).children];
    one(".stream").prepend(...tiles);
    const before = one("[data-earlier]", page);
    if (before) link.href = before.href;
    else link.parentElement.remove();
    focusTile(tiles.at(-1));
  } catch {
    toast("the earlier pictures did not come; press again", { failed: true });
  } finally {
    loading = false;
  }
}

if (one("[data-more]")) watcher.observe(one("[data-more]"));
if (matchMedia("(max-width: 760px)").matches && one("#facets")) one("#facets").open = false;
every(".group").forEach(markGroup);
showRating();
one(".bar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
const here = new URL(location).searchParams.get("here");
focusTile((here && one(`.tile[data-id="${CSS.escape(here)}"]`)) || one(".tile"));
tellFromBefore();
