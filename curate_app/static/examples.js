// Ranked by example: starts learning, shows how far it is, and loads what was learned.

import { exchange, leavePage, load, one, post, register, toast } from "./app.js";
import { fill, watch } from "./jobs.js";

let starting = false;

async function learn() {
  if (starting) return;
  starting = true;
  try {
    const job = await post("/examples/learn", {});
    exchange(await load(location.href), ["#learning"]);
    fill(job);
    watch();
    toast("learning from all judgements …");
  } catch (error) {
    toast(error.message.replace("not saved", "not started"), { failed: true });
  } finally {
    starting = false;
  }
}

// What was learned changes every row: the page comes anew, unless nothing came of it.
document.addEventListener("job-over", (event) => {
  if (event.detail.kind === "predict" && event.detail.state === "done") leavePage(() => location.reload());
});

one("#choose-class")?.addEventListener("change", (event) => event.target.form.requestSubmit());
if (one("#show")) one("#show").hidden = true;

// The first tile is the current one, but what was learned comes first to look at.
if (performance.getEntriesByType("navigation")[0]?.type !== "back_forward") scrollTo(0, 0);

register({ acts: { learn }, keys: { r: "learn" } });
