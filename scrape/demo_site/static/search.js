// Loads the next page of results whenever the end of the list comes near the screen.
const results = document.getElementById("results");
const line = document.getElementById("status");
let next = results.dataset.next;
let isLoading = false;

function shown(entry) {
  const figure = document.createElement("figure");
  figure.className = "result";
  const link = document.createElement("a");
  link.href = entry.page_url;
  const image = document.createElement("img");
  image.src = entry.url;
  image.alt = entry.title;
  image.loading = "lazy";
  link.append(image);
  const caption = document.createElement("figcaption");
  caption.textContent = entry.title;
  figure.append(link, caption);
  return figure;
}

async function loadMore() {
  if (isLoading || !next) return;
  isLoading = true;
  line.textContent = "Loading";
  try {
    const answer = await fetch(next);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = await answer.json();
    results.append(...page.results.map(shown));
    next = page.next;
    const count = `${results.children.length} of ${page.total}`;
    line.textContent = next ? count : `No more results: ${count}`;
  } catch (error) {
    next = null;
    line.textContent = `The results could not be loaded (${error.message})`;
  }
  isLoading = false;
  // A tall screen may still show the end of the list: look again.
  watcher.unobserve(line);
  if (next) watcher.observe(line);
}

const watcher = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) loadMore();
}, { rootMargin: "400px" });
watcher.observe(line);
