// The pack screen: numbers follow the settings, "Pack" starts the job, the address holds it all.

import { one, every, post, register, toast } from "./app.js";
import "./copying.js";
import { fill, watch } from "./jobs.js";

const form = one("#settings");
const LISTS = { label: "labels", licence: "licences" };
const NUMBERS = ["size", "per_class", "min_per_class", "sharpness"];
const SWITCHES = ["linear_light", "originals"];

// The form as the server takes it: numbers as numbers, ticks as lists.
function settings() {
  const body = { labels: [], licences: [] };
  for (const [key, value] of new FormData(form)) {
    if (LISTS[key]) body[LISTS[key]].push(value);
    else if (SWITCHES.includes(key)) body[key] = value === "on";
    else body[key] = NUMBERS.includes(key) ? Number(value) : value.trim();
  }
  return body;
}

let timer = 0;

function follow() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (!form.checkValidity()) return;
    const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    history.replaceState(null, "", address);
    refresh();
  }, 250);
}

form.addEventListener("input", follow);
form.addEventListener("change", follow); // not every way to choose from a list is an input
form.addEventListener("submit", (event) => {
  event.preventDefault();
  follow();
});

// Enter in the name means the button, which has nothing else to wait for.
one("[name=name]", form).addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing) return;
  event.preventDefault();
  pack();
});

async function pack() {
  if (!form.reportValidity()) return;
  const button = one("#pack");
  button.disabled = true;
  try {
    const job = await post("/export/pack", settings());
    toast(`${job.title}: started`);
    await exchange();
    fill(job);
    one("#job").scrollIntoView({ block: "nearest" });
  } catch (error) {
    toast(error.message.replace("not saved", "not packed"), { failed: true });
  } finally {
    button.disabled = false;
  }
}

// Everything but the form comes anew from the server, also when that has something to object.
async function exchange() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (response.redirected) return location.reload(); // the app was started again: log in
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of every("[data-refresh]")) {
    const fresh = one(`#${part.id}`, page);
    if (!fresh) continue;
    const open = every("details", part).map((details) => details.open);
    every("details", fresh).forEach((details, i) => (details.open = open[i] ?? false));
    part.replaceWith(fresh);
  }
  watch();
}

function refresh() {
  return exchange().catch(() => toast("the app does not answer; is it still running?", { failed: true }));
}

document.addEventListener("job-over", async () => {
  await refresh();
  one("#job").scrollIntoView({ block: "nearest" }); // with what came of it
});

register({
  acts: { pack, edit: () => one("input", form).focus() },
  keys: { P: "pack", e: "edit" },
});
every(".show").forEach((button) => (button.hidden = true)); // the numbers follow by themselves
