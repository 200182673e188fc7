// SPDX-License-Identifier: Apache-2.0
// Runs inside the report's page: figures beside the sign that is pointed at, arrow keys in the grids, copying of hashes. The page says
// the same without it.
(() => {
  document.documentElement.classList.add("js");
  const tip = document.getElementById("tip");
  const said = document.getElementById("said");
  const band = document.querySelector(".band");
  const timeline = document.querySelector(".timeline");

  /** First line: title. Lines with a tab: name and value. Others: sentences. All of it goes in as text. */
  function fillTip(text) {
    const [title, ...lines] = text.split("\n");
    const list = document.createElement("dl");
    const sentences = [];
    for (const line of lines) {
      const cells = line.split("\t");
      if (cells.length === 1) sentences.push(element("p", line));
      else list.append(element("dt", cells[0]), element("dd", cells.slice(1).join(" ")));
    }
    tip.replaceChildren(element("strong", title), ...sentences, ...(list.childElementCount > 0 ? [list] : []));
  }

  function element(name, text) {
    const made = document.createElement(name);
    made.textContent = text;
    return made;
  }

  let shown = null;

  function showTip(target) {
    shown = target;
    showBand(target.closest("[data-column]"));
    tip.hidden = target.dataset.tip === undefined;
    if (tip.hidden) return;
    fillTip(target.dataset.tip);
    placeTip(target);
  }

  function placeTip(target) {
    const box = target.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.min(
      Math.max(8, box.left + box.width / 2 - width / 2),
      document.documentElement.clientWidth - width - 8,
    );
    // A column of a chart is tall: the tip stands over its top. Signs have it above, or below where there is no room.
    const above = box.height > 100 ? box.top + 8 : box.top - height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above >= 8 ? above : Math.min(box.bottom + 8, window.innerHeight - height - 8)}px`;
  }

  function showBand(column) {
    band.hidden = column === null || column.dataset.column === undefined;
    if (band.hidden) return;
    const box = column.getBoundingClientRect();
    band.style.left = `${box.left - timeline.getBoundingClientRect().left}px`;
    band.style.width = `${box.width}px`;
  }

  function hideTip() {
    shown = null;
    tip.hidden = true;
    band.hidden = true;
  }

  const target = (event) =>
    event.target instanceof Element ? event.target.closest("[data-tip], .hits [data-column]") : null;
  for (const name of ["pointerover", "focusin", "click"]) {
    timeline.addEventListener(name, (event) => {
      const found = target(event);
      if (found !== null) showTip(found);
      else if (name !== "click") hideTip();
    });
  }
  timeline.addEventListener("pointerleave", hideTip);
  timeline.addEventListener("focusout", hideTip);
  // Moving by keyboard may scroll the page under a tip that has just appeared.
  window.addEventListener("scroll", () => shown !== null && showTip(shown), { capture: true, passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
  });

  // One tab stop per grid; arrow keys move inside it.
  for (const table of document.querySelectorAll(".matrix")) {
    const rows = [...table.rows].map((row) => [...row.cells].map((cell) => cell.querySelector("button")));
    const buttons = rows.flat().filter((button) => button !== null);
    for (const [index, button] of buttons.entries()) button.tabIndex = index === 0 ? 0 : -1;
    table.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (move === undefined) return;
      const row = rows.findIndex((cells) => cells.includes(document.activeElement));
      const next = rows[row + move[0]]?.[(rows[row]?.indexOf(document.activeElement) ?? 0) + move[1]];
      if (next === undefined || next === null) return;
      event.preventDefault();
      for (const button of buttons) button.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }

  // Hashes: copy on click; pointing at one lights up the same hash elsewhere.
  const hashes = [...document.querySelectorAll(".hash")];
  function light(value) {
    for (const hash of hashes) hash.classList.toggle("same", value !== undefined && hash.dataset.copy === value);
  }
  for (const hash of hashes) {
    const value = hash.dataset.copy;
    for (const name of ["pointerenter", "focus"]) hash.addEventListener(name, () => light(value));
    for (const name of ["pointerleave", "blur"]) hash.addEventListener(name, () => light(undefined));
    hash.addEventListener("click", async () => {
      const done = await copy(value);
      said.textContent = done ? `Copied ${value}` : "Could not copy";
      hash.classList.toggle("copied", done);
      setTimeout(() => hash.classList.remove("copied"), 1600);
    });
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // No clipboard in an insecure context (a page from a file or over plain HTTP in some browsers): the older way.
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  }

  // A folded table is left out of print, so it is opened for it.
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
