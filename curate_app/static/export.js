// The pack screen: numbers follow the settings, "Pack" starts the job, the address holds it all.

import { one, every, post, refreshSoon, register, toast } from "./app.js";
import { fill, watch } from "./jobs.js";

const form = one("#settings");
const LISTS = { label: "labels", licence: "licences" };
const NUMBERS = ["size", "per_class"];

// The form as the server takes it: numbers as numbers, ticks as lists.
function settings() {
  const body = { labels: [], licences: [] };
  for (const [key, value] of new FormData(form)) {
    if (LISTS[key]) body[LISTS[key]].push(value);
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
    refreshSoon();
  }, 250);
}

form.addEventListener("input", follow);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  follow();
});

async function pack() {
  if (!form.reportValidity()) return;
  const button = one("#pack");
  button.disabled = true;
  try {
    const job = await post("/export/pack", settings());
    toast(job.state === "queued" && job.summary ? `${job.title} is queued` : `${job.title} has started`);
    await refreshNow();
    fill(job);
    watch();
  } catch (error) {
    toast(error.message.replace("not saved", "not packed"), { failed: true });
  } finally {
    button.disabled = false;
  }
}

// The card of the new job comes from the server, as all of the page does.
async function refreshNow() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  one("#job").replaceWith(one("#job", page));
}

async function copy() {
  const text = one("#command").textContent;
  try {
    await navigator.clipboard.writeText(text);
    toast("copied the command");
  } catch {
    // Without TLS a browser gives no clipboard: mark the text, so that Ctrl-C takes it.
    getSelection().selectAllChildren(one("#command"));
    toast("press Ctrl-C to copy the marked command");
  }
}

document.addEventListener("job-over", () => refreshSoon());

register({
  acts: { pack, copy, edit: () => one("input", form).focus() },
  keys: { p: "pack", c: "copy", e: "edit" },
});
every(".show").forEach((button) => (button.hidden = true)); // the numbers follow by themselves
