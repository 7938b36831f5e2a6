// The list of assessments and the form that begins one: the address holds the form, and when the job
// is done its page opens.

import { every, leavePage, one, post, register, toast } from "./app.js";
import "./copying.js";
import { fill, watch } from "./jobs.js";

const form = one("#begin-form");

const chosen = () => every("[name=set]:checked", form).map((tick) => tick.value);

function check() {
  if (!form) return;
  const count = chosen().length;
  one("#begin").disabled = count < 2;
  one("#begin-hint").textContent = count < 2 ? "Tick two sets or more." : "";
}

let timer = 0;

function follow() {
  check();
  clearTimeout(timer);
  timer = setTimeout(() => {
    const fields = [...new FormData(form)].filter(([, value]) => value !== "");
    history.replaceState(null, "", `${form.action}?${new URLSearchParams(fields)}`);
  }, 250);
}

async function begin() {
  if (!form.reportValidity()) return;
  const field = (name) => one(`[name=${name}]`, form);
  const body = {
    sets: chosen(),
    name: field("name").value.trim(),
    question: field("question").value.trim(),
    match: field("match").value,
    tells_class: field("tells_class").checked,
  };
  const button = one("#begin");
  button.disabled = true;
  try {
    const job = await post("/assess/begin", body);
    begun = body.name;
    await showJob();
    fill(job);
  } catch (error) {
    toast(error.message.replace("not saved", "not begun"), { failed: true });
  } finally {
    check();
  }
}

let begun = "";

async function showJob() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (response.redirected) return location.reload(); // the app was started again: log in
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of every("[data-refresh]")) {
    const fresh = one(`#${part.id}`, page);
    if (fresh) part.replaceWith(fresh);
  }
  watch();
}

document.addEventListener("job-over", ({ detail: job }) => {
  if (job.kind !== "assess") return;
  if (job.state === "done" && begun) return leavePage(() => location.assign(`/assess/${begun}`));
  showJob();
});

form?.addEventListener("input", follow);
form?.addEventListener("change", follow);
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
register({ acts: { begin }, keys: { B: "begin" } });
check();
