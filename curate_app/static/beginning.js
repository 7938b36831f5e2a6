// The first picture has the keys' ring from the start, but a page begins with its title.

export function beginAtTop() {
  const [visit] = performance.getEntriesByType("navigation");
  if (visit?.type === "navigate" && !location.hash) scrollTo(0, 0);
}
