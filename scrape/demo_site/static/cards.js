// Shows the real picture of a card when it comes near the screen.
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    entry.target.src = entry.target.dataset.src;
    watcher.unobserve(entry.target);
  }
}, { rootMargin: "300px" });
document.querySelectorAll("img[data-src]").forEach((image) => watcher.observe(image));
