// The classes: targets are saved when their field is left; a top-up starts only by its button.

import { every, exchange, leavePage, load, one, post, toast } from "./app.js";
import "./copying.js";
import { watch } from "./jobs.js";

// Counts and bars come anew from the server. A field that somebody types in is not touched: taken
// out of the page it would count as left, and be saved half typed.
async function refresh() {
  const page = await load(location.href).catch(() => null);
  if (!page || !one("#balance", page)) return; // the next action tries again
  exchange(page, ["#balance thead", ...every("[data-refresh]").map((part) => `#${part.id}`)]);
  const fresh = new Map(every("#balance tr[data-label]", page).map((row) => [row.dataset.label, row]));
  for (const row of every("#balance tr[data-label]")) {
    const now = fresh.get(row.dataset.label);
    fresh.delete(row.dataset.label);
    if (!now) row.remove();
    else if (!row.contains(document.activeElement)) row.replaceWith(now);
    else exchangeCells(row, now);
  }
  // No row jumps away under the hand: new ones stand last until the page is loaded anew.
  one("#balance .empty")?.closest("tr").remove();
  one("#balance tbody").append(...fresh.values());
}

function exchangeCells(row, now) {
  const cells = [...now.cells];
  [...row.cells].forEach((cell, i) => cell.contains(document.activeElement) || cell.replaceWith(cells[i]));
}

async function change(path, body) {
  try {
    const answer = await post(path, body);
    toast(answer.message, { undoable: answer.batch !== null && answer.batch !== undefined });
    return answer;
  } catch (error) {
    toast(error.message, { failed: true });
    return null;
  }
}

const target = (input) => (input.value.trim() === "" ? null : Number(input.value));

document.addEventListener("change", async (event) => {
  const input = event.target;
  if (input.dataset.target === undefined) return;
  if (!input.checkValidity()) return input.reportValidity();
  await change("/classes/target", { label: input.dataset.target, target: target(input) });
  await refresh();
});

// Enter in a target saves it and goes on to the next one.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.dataset?.target === undefined) return;
  event.preventDefault();
  const fields = every("[data-target]");
  const next = fields[fields.indexOf(event.target) + 1];
  if (!next) return event.target.blur();
  next.focus();
  next.select();
});

one("#for-all").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = event.target.elements.target;
  if (await change("/classes/targets", { target: target(field) })) field.value = "";
  await refresh();
});

one("#add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { label, target: wanted } = event.target.elements;
  if (await change("/classes/target", { label: label.value.trim(), target: target(wanted) })) {
    event.target.reset();
    await refresh();
    label.focus();
  }
});

one("#move")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const to = event.target.elements.to.value.trim();
  const label = one("#panel").dataset.label;
  const done = await change("/classes/move", { label, to, count: Number(event.target.dataset.count) });
  const name = done?.pictures[0]?.label ?? to; // as it was tidied up
  const there = `/classes?label=${encodeURIComponent(name)}`;
  if (done) setTimeout(() => leavePage(() => location.assign(there)), 1200);
});

// ---------------------------------------------------------------- collecting more

const topUp = one("#top-up");

topUp?.addEventListener("change", showCommand);
topUp?.addEventListener("submit", (event) => {
  event.preventDefault();
  showCommand();
});

let asked = 0; // only the newest answer is shown, in whatever order they come

async function showCommand() {
  const address = `/classes?${new URLSearchParams(new FormData(topUp))}`;
  const mine = ++asked;
  try {
    const page = await load(address);
    if (mine !== asked) return;
    exchange(page, ["#command pre"]);
    history.replaceState(null, "", address);
  } catch (error) {
    toast(`the command cannot be made of the fields: ${error.message}`, { failed: true });
  }
}

one("#start")?.addEventListener("click", async () => {
  if (!topUp.reportValidity()) return;
  const body = Object.fromEntries(new FormData(topUp));
  const answer = await change("/classes/top-up", body);
  if (!answer) return;
  exchange(await load(location.href), ["#job"]);
  watch(one("#job"));
});

// An undo by key or button changes counts here, too.
document.addEventListener("acted", refresh);
document.addEventListener("job-over", refresh);
watch();
