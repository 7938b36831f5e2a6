// New pictures: accepted in bulk for one class, told apart from kept ones, folded duplicates shown.

import { act, every, focusTile, load, one, register } from "./app.js";
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

async function fill() {
  const button = one("[data-act=fill]");
  if (!button || button.disabled) return;
  button.disabled = true;
  const ids = JSON.parse(button.dataset.ids);
  // Those that were judged one by one since are not accepted again.
  const judged = new Set(every('.tile:not([data-status="undecided"])').map((tile) => Number(tile.dataset.id)));
  const label = new URLSearchParams(location.search).get("label") ?? "";
  const left = ids.filter((id) => !judged.has(id));
  const answer = await act("/incoming/accept", { label, ids: left }, every(".tile.best"));
  button.disabled = false;
  if (answer) await exchange();
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
  keys: { f: "fill", d: "repeat", n: "no-repeat" },
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

// How short a class is stands at every tile; when the classes come anew, so does that.
new MutationObserver(() => {
  const told = new Map(every("[data-need]").map((link) => [link.dataset.need, link.dataset.told]));
  for (const gap of every("[data-gap]")) {
    const text = told.get(gap.dataset.gap);
    if (text !== undefined && gap.textContent !== text) gap.textContent = text;
  }
}).observe(one("main"), { childList: true });

// While new pictures are compared behind the page, ask now and then whether that is done.
if (one("#pending")) {
  const timer = setInterval(async () => {
    const page = await load(location.href).catch(() => null);
    if (page && !one("#pending", page)) {
      clearInterval(timer);
      one("#pending").remove();
      if (!every('.tile:not([data-status="undecided"])').length) location.reload();
    }
  }, 4000);
}
