// Jobs on a page: every element with data-job shows its bar, rate and time left until it is over.
// When one ends, "job-over" is sent to the document with the job as its detail.

import { every, one, post, toast } from "./app.js";

const OVER = ["done", "failed", "stopped"];
const EVERY_MS = 400;
const watched = new Set();

export function watch(root = document) {
  for (const card of every("[data-job]", root)) {
    if (watched.has(card.dataset.job) || OVER.includes(card.dataset.state)) continue;
    watched.add(card.dataset.job);
    follow(card.dataset.job);
  }
}

async function follow(id) {
  let misses = 0;
  while (misses < 20) {
    try {
      const response = await fetch(`/jobs/${id}`, { headers: { Accept: "application/json" } });
      if (!response.ok) return lost(id, response.status);
      const job = await response.json();
      misses = 0;
      fill(job);
      if (OVER.includes(job.state)) return over(job);
    } catch {
      misses += 1;
    }
    await new Promise((ready) => setTimeout(ready, EVERY_MS));
  }
  lost(id, 0);
}

function lost(id, status) {
  watched.delete(id);
  for (const card of every(`[data-job="${id}"]`)) {
    one(".job-step", card).textContent = status === 404
      ? "the app was started again and knows nothing of this job any more"
      : "the app does not answer; reload this page";
    one(".job-bar", card).hidden = one(".job-stop", card).hidden = true;
  }
}

function over(job) {
  watched.delete(String(job.id));
  const how = { done: "is done", failed: `failed: ${job.error}`, stopped: "was stopped" }[job.state];
  toast(`${job.title} ${how}`, { failed: job.state === "failed" });
  document.dispatchEvent(new CustomEvent("job-over", { detail: job }));
}

export function fill(job) {
  for (const card of every(`[data-job="${job.id}"]`)) {
    const isOver = OVER.includes(job.state);
    const bar = one(".job-bar", card);
    card.dataset.state = job.state;
    one(".job-state", card).textContent = job.state;
    one(".job-step", card).textContent = job.summary;
    bar.hidden = isOver;
    if (job.total) {
      bar.max = job.total;
      bar.value = Math.min(job.done, job.total);
    } else {
      bar.removeAttribute("value");
    }
    one(".job-stop", card).hidden = isOver;
    say(one(".job-error", card), job.error);
    say(one(".job-result", card), job.result);
    say(one(".job-log", card), job.log.join("\n"), true);
  }
}

function say(element, text, always = false) {
  element.textContent = text;
  if (!always) element.hidden = !text;
}

async function stop(card) {
  const button = one(".job-stop", card);
  button.disabled = true;
  try {
    fill(await post(`/jobs/${card.dataset.job}/stop`, {}));
    toast("stopping …");
  } catch (error) {
    toast(error.message, { failed: true });
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".job-stop");
  if (button) stop(button.closest("[data-job]"));
});

watch();
