// The checks there are, and the findings of one: marks false alarms, takes them back, checks again.

import { every, exchange, leavePage, load, one, post, register, toast } from "./app.js";
import { fill, watch } from "./jobs.js";

const folder = one("#check")?.dataset.folder; // none on the list of all checks
const done = []; // marks of this page, for undo: [sha256, taken back]
let here = null;
let starting = false;

const shaOf = (finding) => finding.dataset.sha256;

async function mark(sha256, takenBack, { undoing = false } = {}) {
  try {
    const answer = await post("/novelty/false-alarm", { folder, sha256, taken_back: takenBack });
    for (const finding of every(`[data-sha256="${sha256}"]`)) show(finding, answer);
    one("#unsettled").hidden = !answer.unsettled;
    one("#unsettled-count").textContent = answer.unsettled;
    one("#unsettled-many").textContent = answer.unsettled === 1 ? "" : "s";
    if (!undoing) done.push([sha256, takenBack]);
    toast(answer.message, { undoable: done.length > 0 });
  } catch (error) {
    if (undoing) done.push([sha256, !takenBack]);
    toast(error.message, { failed: true });
  }
}

function show(finding, { false_alarm: isMarked, who }) {
  finding.toggleAttribute("data-marked", isMarked);
  one(".badge.cleared", finding).hidden = !isMarked;
  one("[data-by]", finding).textContent = isMarked ? `, says ${who}` : "";
  const button = one("[data-act=false-alarm]", finding);
  button.setAttribute("aria-pressed", String(isMarked));
  button.textContent = isMarked ? "Take back" : "False alarm";
}

function toggle(finding) {
  if (finding) mark(shaOf(finding), finding.hasAttribute("data-marked"));
}

function undo() {
  const last = done.pop();
  if (last) mark(last[0], !last[1], { undoing: true });
  else toast("nothing left to undo on this page");
}

async function check(named) {
  if (starting || !(named ?? folder)) return;
  starting = true;
  try {
    const ticked = every("[data-duplicate]:checked").map((box) => Number(box.dataset.duplicate));
    const body = named ? { folder: named } : { folder, duplicates: ticked };
    const job = await post("/novelty/check", body);
    exchange(await load(location.href), ["#checking"]);
    fill(job);
    watch();
    toast(named ? "checking …" : "checking again …");
  } catch (error) {
    toast(error.message.replace("not saved", "not started"), { failed: true });
  } finally {
    starting = false;
  }
}

document.addEventListener("job-over", (event) => {
  if (event.detail.kind === "novelty" && event.detail.state === "done") leavePage(() => location.reload());
});

function stand(finding) {
  if (!finding) return;
  here?.classList.remove("current");
  here = finding;
  here.classList.add("current");
}

document.addEventListener("focusin", (event) => stand(event.target.closest(".finding")));
document.addEventListener("click", (event) => {
  stand(event.target.closest(".finding"));
  // Before the buttons of all screens, which know nothing of findings.
  const button = event.target.closest("[data-act=false-alarm]");
  if (!button) return;
  event.stopImmediatePropagation();
  toggle(button.closest(".finding"));
}, true);

document.addEventListener("keydown", (event) => {
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!way || event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey) return;
  const findings = every(".finding");
  const next = here ? findings[findings.indexOf(here) + way] : findings[0];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
});

const nothing = () => {}; // the keys that judge have nothing to judge here
register({
  acts: {
    check: (tile, { value }) => check(value),
    again: () => check(),
    mark: () => toggle(here),
    nothing,
    ...(folder ? { undo } : {}), // on the list the usual one
  },
  keys: { f: "mark", R: "again", k: "nothing", x: "nothing", " ": "nothing", Enter: "nothing", l: "nothing", c: "nothing" },
});
