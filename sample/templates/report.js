(() => {
  "use strict";
  const id = (name) => document.getElementById(name);
  const cards = id("cards"), all = [...cards.children], order = id("order"), near = id("near");
  const fields = { label: id("label"), text: id("text"), order };
  const showing = [...document.querySelectorAll("[data-show]")];
  const state = { show: "", near: "", label: "", text: "", order: "suspicion" };
  const by = {
    suspicion: (a, b) => a.dataset.place - b.dataset.place,
    novelty: (a, b) => b.dataset.place - a.dataset.place,
    plain: (a, b) => a.dataset.plain - b.dataset.plain,
    file: (a, b) => (a.dataset.file < b.dataset.file ? -1 : 1),
  };
  let arranged = "suspicion";

  const rest = id("rest") ? JSON.parse(id("rest").textContent) : { verdicts: [], labels: [], pictures: [] };
  const mosaic = id("mosaic"), lens = id("lens"), tiles = [];
  rest.pictures.forEach(([file, verdict, label, ratio, p, original], number) => {
    const tile = document.createElement("i");
    tile.className = "sheet-" + Math.floor(number / 1024);
    tile.style.backgroundPosition = `-${(number % 32) * 32}px -${Math.floor((number % 1024) / 32) * 32}px`;
    tile.setAttribute("role", "option");
    tile.id = "tile-" + number;
    tile.setAttribute("aria-label", `${file}, ${rest.verdicts[verdict]}`);
    tiles.push({ tile, file, verdict: rest.verdicts[verdict], label: rest.labels[label], ratio, p, original });
  });
  if (mosaic) mosaic.append(...tiles.map((entry) => entry.tile));

  const fits = (verdict, label, words, row, isFalseAlarm) =>
    (!state.show || (state.show === "false alarm" ? isFalseAlarm : verdict === state.show)) &&
    (!state.label || label === state.label) && (!state.near || row === state.near) &&
    state.text.toLowerCase().split(/\s+/).every((word) => words.includes(word));

  const show = () => {
    let shown = 0;
    for (const card of all) {
      const { verdict, label, words, near: row, falseAlarm } = card.dataset;
      card.hidden = !fits(verdict, label, words, row, falseAlarm !== undefined);
      shown += !card.hidden;
    }
    for (const entry of tiles) {
      const words = `${entry.file} ${entry.label} ${entry.original}`.toLowerCase();
      entry.tile.hidden = !fits(entry.verdict, entry.label, words, "", false);
      shown += !entry.tile.hidden;
    }
    if (arranged !== state.order) cards.append(...all.sort(by[(arranged = state.order)]));
    id("empty").hidden = shown > 0;
    id("count").textContent = `${shown.toLocaleString("en")} shown`;
    for (const button of showing) button.setAttribute("aria-pressed", button.dataset.show === state.show);
    near.hidden = !state.near;
    const source = document.querySelector(`button[data-near="${CSS.escape(state.near)}"]`);
    near.textContent = `from ${source ? source.dataset.name : "row " + state.near}  ×`;
    for (const [name, field] of Object.entries(fields)) if (field && field.value !== state[name]) field.value = state[name];
  };
  const change = (changes) => {
    Object.assign(state, changes);
    const said = Object.entries(state).filter(([name, value]) => value && value !== "suspicion");
    history.replaceState(null, "", "#" + new URLSearchParams(said));
    show();
  };
  const go = () => id("pictures").scrollIntoView();

  for (const button of showing) button.addEventListener("click", () => {
    const again = button.hasAttribute("data-go") && state.show === button.dataset.show;
    change({ show: again ? "" : button.dataset.show });
    if (button.hasAttribute("data-go") && !again) go();
  });
  for (const button of document.querySelectorAll("button[data-near]")) {
    button.addEventListener("click", () => { change({ near: button.dataset.near, show: "" }); go(); });
  }
  near.addEventListener("click", () => change({ near: "" }));
  for (const [name, field] of Object.entries(fields)) {
    const event = name === "text" ? "input" : "change";
    if (field) field.addEventListener(event, () => change({ [name]: field.value }));
  }

  // The wall: pointed at or walked over, a picture is told of in the lens.
  let here = -1;
  const tell = (number) => {
    const entry = tiles[number];
    if (!entry) return;
    if (tiles[here]) tiles[here].tile.classList.remove("here");
    here = number;
    entry.tile.classList.add("here");
    mosaic.setAttribute("aria-activedescendant", entry.tile.id);
    const picture = lens.querySelector("i"), words = lens.querySelector("p");
    picture.className = entry.tile.className;
    picture.style.backgroundPosition = entry.tile.style.backgroundPosition;
    const figures = [["ratio", entry.ratio], ["p", entry.p]].filter(([, value]) => value !== null);
    words.textContent = [entry.file, entry.label, entry.verdict, ...figures.map((pair) => pair.join(" ")),
      entry.original && `nearest: ${entry.original}`].filter(Boolean).join(" · ");
    lens.hidden = false;
  };
  if (mosaic) {
    mosaic.addEventListener("pointerover", (event) => tell(tiles.findIndex((entry) => entry.tile === event.target)));
    mosaic.addEventListener("focus", () => here < 0 && tell(tiles.findIndex((entry) => !entry.tile.hidden)));
    mosaic.addEventListener("keydown", (event) => {
      const across = Math.max(1, Math.floor((mosaic.clientWidth + 3) / 35));
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
      const open = tiles.map((entry, number) => number).filter((number) => !tiles[number].tile.hidden);
      const next = open[open.indexOf(here) + step];
      if (step === undefined) return;
      event.preventDefault();
      if (next === undefined) return;
      tell(next);
      tiles[next].tile.scrollIntoView({ block: "nearest" });
    });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "/") { event.preventDefault(); fields.text.focus(); }
    const step = { j: 1, k: -1 }[event.key];
    if (!step) return;
    const open = [...cards.children].filter((card) => !card.hidden);
    const at = open.indexOf(document.activeElement.closest(".card"));
    const card = open[at < 0 ? 0 : at + step];
    if (card) { card.focus({ preventScroll: true }); card.scrollIntoView(); }
  });
  for (const jump of document.querySelectorAll('a[href="#held-out"]')) {
    jump.addEventListener("click", (event) => {
      event.preventDefault();
      id("evidence").open = true;
      id("held-out").scrollIntoView();
    });
  }
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (name in state && (name !== "order" || value in by)) state[name] = value;
  }
  show();
})();
