// Issues: the cut is dragged over the histogram; counts are exact at every stop without a request,
// both sides of the cut are fetched when it rests.
import { act, currentTile, every, exchange, focusTile, load, one, register, toast } from "./app.js";
import { beginAtTop } from "./beginning.js";

const slider = one("#cut");
const plot = one("#plot");
const low = plot.dataset.bad === "low";
const told = one("#cut-says");

let curve = null; // {stops, bad, total}, as the server last sent it
let source = null;
let resting = 0;

function read() {
  const element = one("#curve");
  if (element !== source) {
    const cut = curve?.stops[Number(slider.value)];
    curve = JSON.parse(element.dataset.curve);
    source = element;
    slider.max = curve.stops.length - 1;
    if (cut !== undefined) slider.value = nearest(cut);
  }
  return curve;
}

const cutNow = () => read().stops[Number(slider.value)];
const badNow = () => read().bad[Number(slider.value)];
const counted = (n) => `${n.toLocaleString("en")} picture${n === 1 ? "" : "s"}`;

function nearest(cut) {
  const { stops } = curve;
  const there = stops.findIndex((stop) => stop >= cut - 1e-9);
  return there < 0 ? stops.length - 1 : there;
}

function draw() {
  const { stops, total } = read();
  const bad = badNow();
  const x = (100 * Number(slider.value)) / Math.max(1, stops.length - 1);
  for (const end of ["x1", "x2"]) one("#cut-line").setAttribute(end, x);
  one("#bad-side").setAttribute("x", low ? 0 : x);
  one("#bad-side").setAttribute("width", low ? x : 100 - x);
  const [under, over] = low ? [bad, total - bad] : [total - bad, bad];
  const { issue, measure } = told.dataset;
  const text = `${measure} ${low ? "under" : "over"} ${cutNow()}: ${counted(bad)} would go, ${(total - bad).toLocaleString("en")} would stay`;
  told.textContent = text;
  told.title = `${under} under, ${over} over`;
  slider.setAttribute("aria-valuetext", text);
  const apply = one("#apply");
  if (apply) {
    apply.textContent = `Reject ${counted(bad)}`;
    apply.title = `As ${issue}; one undo takes it back`;
    apply.disabled = bad === 0;
  }
}

function moved() {
  draw();
  clearTimeout(resting);
  resting = setTimeout(settle, 220);
}

// The address holds the cut; the pictures on both sides of it come from the server.
let asked = 0;

async function settle() {
  const address = new URL(location.href);
  address.searchParams.set("cut", String(cutNow()));
  history.replaceState(null, "", address);
  const mine = ++asked;
  try {
    const page = await load(address.href);
    if (mine !== asked) return; // moved on meanwhile
    show(page);
  } catch (error) {
    toast(`the pictures at the cut did not come: ${error.message}`, { failed: true });
  }
}

function show(page) {
  const focused = document.activeElement;
  const inside = focused?.closest("#sides");
  const shown = () => every("#sides .tile").map((tile) => tile.dataset.id);
  const [before, id] = [shown().join(), currentTile()?.dataset.id];
  const [x, y] = [scrollX, scrollY];
  exchange(page, ["#sides", "#curve", "#bars", "#unknown"]);
  const same = shown().join() === before;
  draw();
  showScores();
  // Other rows: the keys act on the first picture just on the bad side.
  focusTile((same && one(`#sides .tile[data-id="${id}"]`)) || one("#sides .tile"));
  // Only what the keys act on has changed: eyes and focus stay where they are.
  if (!inside) focused?.focus({ preventScroll: true });
  scrollTo(x, y);
}

function showScores() {
  const scores = JSON.parse(one("#sides").dataset.scores);
  for (const tile of every("#sides .tile")) {
    const line = one(".line", tile);
    const score = Object.assign(document.createElement("span"), { className: "score", textContent: scores[tile.dataset.id] });
    line.insertBefore(score, one(".buttons", line));
  }
}

function goTo(cut) {
  read();
  slider.value = nearest(cut);
  moved();
}

// A press moves the cut by a hundredth of the axis; the slider itself goes stop by stop.
function nudge(by) {
  slider.value = Number(slider.value) + by * Math.max(1, Math.round((read().stops.length - 1) / 100));
  moved();
}

slider.addEventListener("input", moved);

// The histogram is as good to drag on as the slider below it.
function dragged(event) {
  const box = plot.getBoundingClientRect();
  slider.value = Math.round(((event.clientX - box.left) / box.width) * (read().stops.length - 1));
  moved();
}

plot.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  plot.setPointerCapture(event.pointerId);
  dragged(event);
});
plot.addEventListener("pointermove", (event) => plot.hasPointerCapture(event.pointerId) && dragged(event));

async function apply() {
  const { filter, preset } = one("#apply").dataset;
  clearTimeout(resting);
  const body = { measure: told.dataset.measure, cut: cutNow(), preset, filter: JSON.parse(filter), count: badNow() };
  const answer = await act("/issues/apply", body, every("#sides .tile"));
  if (!answer) settle(); // something has changed meanwhile: show how it is
}

const keepCut = (cut) => act("/issues/remember", { measure: told.dataset.measure, cut }, []);

document.addEventListener("acted", ({ detail }) => {
  if (["/undo", "/issues/apply"].includes(detail.path)) settle();
});
// Counts that came anew with the rest of the page.
new MutationObserver(() => one("#curve") !== source && draw()).observe(one(".curve"), { childList: true });
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-go]");
  if (button) goTo(Number(button.dataset.go));
});
for (const select of every(".among select")) {
  select.addEventListener("change", () => {
    for (const other of every(".among [data-optional]")) other.disabled = !other.value;
    select.form.requestSubmit();
  });
}
one(".among").classList.add("live");

register({
  acts: {
    "apply-cut": apply,
    "remember-cut": () => keepCut(cutNow()),
    "forget-cut": () => keepCut(null),
    "cut-down": () => nudge(-1),
    "cut-up": () => nudge(1),
  },
  keys: { "[": "cut-down", "]": "cut-up" },
});
draw();
showScores();
beginAtTop();
