// New pictures: accepted in bulk for one class, told apart from kept ones, folded duplicates shown.

import { act, every, focusTile, load, number, one, refreshSoon, register } from "./app.js";
import "./copying.js";

// After an action on many, the whole list is another one.
async function exchange() {
  const page = await load(location.href);
  for (const id of ["arrivals", "needs", "bulk", "folded", "sums"]) {
    const fresh = one(`#${id}`, page);
    if (fresh) one(`#${id}`)?.replaceWith(fresh);
  }
  focusTile(one(".tile"));
}

// Which tiles are the best of the class now, the server says with the button; what has no tile on
// this page was seen by nobody and is left for the next ones.
function markBest() {
  const button = one("#bulk [data-act=fill]");
  const best = new Set(button ? JSON.parse(button.dataset.ids) : []);
  for (const tile of every(".stream .tile")) tile.classList.toggle("best", best.has(number(tile)));
  if (!button) return;
  const marked = bestTiles().length;
  if (marked === best.size) return;
  button.disabled = marked === 0;
  one("[data-count]", button).textContent = marked.toLocaleString("en");
  one("#offer [data-told]").textContent = `${(best.size - marked).toLocaleString("en")} more come with the next ones.`;
}

const bestTiles = () => every('.stream .tile.best[data-status="undecided"]');

async function fill() {
  const button = one("[data-act=fill]");
  const tiles = bestTiles();
  if (!button || button.disabled || !tiles.length) return;
  button.disabled = true;
  const label = new URLSearchParams(location.search).get("label") ?? "";
  const answer = await act("/incoming/accept", { label, ids: tiles.map(number) }, tiles);
  button.disabled = false;
  if (answer) await exchange();
  else refreshSoon(); // what is best, or how many are missing, has changed
}

async function rejectRepeats() {
  const count = Number(one("[data-act=reject-repeats]").dataset.count);
  const answer = await act("/incoming/reject-repeats", { count }, []);
  if (answer) await exchange();
}

// A button beside a pair names its picture; a key means the pair of the present tile.
function judgePair(tile, value, post) {
  const pair = one(`.pair[data-new="${Number(value) || 0}"]`) ?? tile?.closest(".pair");
  if (!pair) return;
  const pairs = every(".pair");
  const next = pairs[pairs.indexOf(pair) + 1];
  post(Number(pair.dataset.new), Number(pair.dataset.kept)).then((answer) => {
    if (answer) pair.classList.add("told");
  });
  focusTile(one(".tile", next ?? one("#arrivals")));
}

register({
  acts: {
    fill,
    "reject-repeats": rejectRepeats,
    repeat: (tile, { value }) =>
      judgePair(tile, value, (picture, kept) => act("/incoming/repeat", { picture, kept }, [])),
    "no-repeat": (tile, { value }) =>
      judgePair(tile, value, (picture, kept) =>
        act("/duplicates/different", { members: [picture, kept] }, [])),
  },
  keys: { F: "fill", D: "repeat", n: "no-repeat" },
});

// Undo takes back what was said of pairs, too.
document.addEventListener("acted", (event) => {
  const { path, answer } = event.detail;
  if (path !== "/undo") return;
  if (answer.verb === "accept" || answer.verb === "reject-repeats") exchange().catch(() => {});
  for (const picture of answer.pictures) {
    if (picture.status === "undecided") one(`.pair[data-new="${picture.id}"]`)?.classList.remove("told");
  }
  for (const { a, b } of answer.pairs ?? []) {
    for (const pair of every(".pair.told")) {
      const ends = [Number(pair.dataset.new), Number(pair.dataset.kept)];
      if (ends.includes(a) && ends.includes(b)) pair.classList.remove("told");
    }
  }
});

// Folded pairs are fetched when somebody wants to see them.
document.addEventListener("toggle", async (event) => {
  const fold = event.target;
  if (!fold.dataset?.part || !fold.open) return;
  const page = await load(fold.dataset.part);
  one(".fold-pairs", fold).replaceChildren(one("#repeat-pairs", page));
}, true);

// How short a class is stands at every tile, and which are its best; when the classes come anew, so
// does that.
new MutationObserver(() => {
  if (one("#offer") || one(".tile.best")) markBest();
  const told = new Map(every("[data-need]").map((link) => [link.dataset.need, link.dataset.told]));
  for (const gap of every("[data-gap]")) {
    const text = told.get(gap.dataset.gap);
    if (text !== undefined && gap.textContent !== text) gap.textContent = text;
  }
}).observe(one("main"), { childList: true });

// While new pictures are compared behind the page, ask now and then whether that is done.
if (one("#pending")) {
  const timer = setInterval(async () => {
    const page = await load(location.href, { headers: { "X-Refresh": "1" } }).catch(() => null);
    if (page && !one("#pending", page)) {
      clearInterval(timer);
      one("#pending").remove();
      if (!every('.tile:not([data-status="undecided"])').length) location.reload();
    }
  }, 4000);
}
