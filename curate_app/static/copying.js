// Buttons with data-copy="SELECTOR" put the text of that element on the clipboard; y means the first
// of them that can be seen.

import { every, one, register, toast } from "./app.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = one(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    toast("copied");
  } catch {
    // Only pages of this machine or over HTTPS may write there: the text is marked for Ctrl+C.
    getSelection().selectAllChildren(source);
    toast("press Ctrl+C to copy what is marked");
  }
});

const copy = () => every("[data-copy]").find((button) => button.checkVisibility())?.click();
register({ acts: { copy }, keys: { y: "copy" } });
