// Sorting and filtering of tables, and opening all passages at once. The pages are complete without it.
"use strict";
{
  /** An element with attributes and children; text is only ever set as text. */
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  /** Turns a column's heading into a button. `sort(column, descending)` is called when it is pressed. */
  const sortable = (headings, sort) => {
    headings.forEach((heading, column) => {
      if (heading.dataset.sort === "no") return;
      // A heading that is a link stays one.
      const linked = heading.querySelector("a");
      const button = linked
        ? make("button", { type: "button", class: "sort", "aria-label": `Sort by ${heading.textContent.trim()}` })
        : make("button", { type: "button", class: "sort" }, ...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const now = heading.getAttribute("aria-sort");
        const first = heading.dataset.sort === "down" ? "descending" : "ascending";
        const next = now === null ? first : now === "ascending" ? "descending" : "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", next);
        sort(column, next === "descending");
      });
    });
  };

  /** Empty cells come last, whichever way the others go. */
  const compare = (a, b, descending) => {
    const none = (value) => value === null || value === "" || value === "–";
    if (none(a) || none(b)) return none(a) - none(b);
    const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
    return descending ? -order : order;
  };

  /** A table whose rows are all there. */
  const plainTable = (table) => {
    const body = table.tBodies[0];
    const value = (row, column) => {
      const cell = row.cells[column];
      const text = cell.dataset.value ?? cell.textContent.trim();
      const number = Number(text.replace(/[,%\u202f ]/g, "").replace("\u2212", "-"));
      return text !== "" && Number.isFinite(number) ? number : text;
    };
    sortable([...table.tHead.rows[table.tHead.rows.length - 1].cells], (column, descending) => {
      const rows = [...body.rows];
      rows.sort((a, b) => compare(value(a, column), value(b, column), descending));
      body.append(...rows);
    });
  };

  const MARKS = { Yes: "yes", No: "no", unknown: "unknown", not_applicable: "na" };
  const labelWords = (label) => {
    if (label === null) return "–";
    const words = label.replaceAll("_", " ");
    return words === label && label !== label.toLowerCase() ? label : words[0].toUpperCase() + words.slice(1);
  };
  /** In a narrow column, as `render.cell_words` has it. */
  const cellWords = (label) => (label === null ? "–" : label === "not_applicable" ? "n/a" : label);
  const SHOWN = 100;

  /** An edition's papers: the page has a part of them, a file has all; that is fetched when it is needed. */
  const papersTable = (table) => {
    const root = document.body.dataset.root ?? "";
    const body = table.tBodies[0];
    const status = make("p", { class: "count", role: "status" });
    const more = make("button", { type: "button", class: "more", hidden: "" }, "Show more");
    const title = make("input", { type: "search", autocomplete: "off", id: "filter-title" });
    const variable = make("select", { id: "filter-variable" });
    const label = make("select", { id: "filter-label" });
    let data = null;
    let rows = [];
    let shown = SHOWN;
    let order = null;

    const load = async () => {
      if (data) return;
      const answer = await fetch(table.dataset.rows);
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      data = await answer.json();
    };
    const cellsOf = (paper) => [
      make("th", { scope: "row" }, make("a", { href: root + paper[0], dir: "auto" }, paper[1])),
      ...paper.slice(3).map((given) =>
        make("td", { class: given === null ? "none" : MARKS[given] ?? "other" }, cellWords(given))),
      make("td", {}, paper[2] === null ? "–" : String(paper[2])),
    ];
    const draw = () => {
      body.replaceChildren(...rows.slice(0, shown).map((paper) => make("tr", {}, ...cellsOf(paper))));
      more.hidden = rows.length <= shown;
      status.textContent = `${rows.length} of ${data.papers.length} ${data.papers.length === 1 ? "paper" : "papers"}` +
        (rows.length > shown ? `, the first ${shown} shown` : "");
      for (const pages of document.querySelectorAll("nav.pages")) pages.hidden = true;
    };
    const filtered = () => {
      const words = fold(title.value).split(/\s+/u).filter(Boolean);
      const at = variable.selectedIndex - 1;
      return data.papers.filter((paper) => {
        const name = fold(paper[1]);
        return words.every((word) => name.includes(word)) &&
          (at < 0 || label.value === "" || (paper[3 + at] ?? "") === label.value);
      });
    };
    const update = async () => {
      try {
        await load();
      } catch {
        status.textContent = "The list of papers could not be loaded; try again.";
        return;
      }
      rows = filtered();
      if (order) {
        const last = 1 + data.variables.length;
        const place = order.column === 0 ? 1 : order.column === last ? 2 : order.column + 2;
        rows.sort((a, b) => compare(a[place], b[place], order.descending));
      }
      draw();
    };

    const names = [...table.tHead.rows[0].cells].slice(1, -1);
    variable.append(make("option", { value: "" }, "any variable"));
    for (const heading of names) {
      const full = heading.querySelector("abbr")?.title ?? heading.textContent.trim();
      variable.append(make("option", {}, full));
    }
    const fillLabels = () => {
      const at = variable.selectedIndex - 1;
      const given = at < 0 ? [] : [...new Set(data.papers.map((paper) => paper[3 + at]))].filter((l) => l !== null);
      label.replaceChildren(make("option", { value: "" }, "any label"),
        ...given.sort().map((l) => make("option", { value: l }, labelWords(l))));
      label.disabled = at < 0;
    };
    label.append(make("option", { value: "" }, "any label"));
    label.disabled = true;

    sortable([...table.tHead.rows[0].cells], (column, descending) => {
      order = { column, descending };
      shown = SHOWN;
      void update();
    });
    let wait = 0;
    title.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(() => { shown = SHOWN; void update(); }, 150);
    });
    variable.addEventListener("change", async () => {
      await update();
      if (data) fillLabels();
      await update();
    });
    label.addEventListener("change", () => { shown = SHOWN; void update(); });
    more.addEventListener("click", () => {
      const first = shown;
      shown += SHOWN;
      draw();
      body.rows[first]?.querySelector("a")?.focus();
    });
    const controls = make("form", { class: "filters", "aria-label": "Filter the papers" },
      make("span", {}, make("label", { for: title.id }, "Title has "), title),
      make("span", {}, make("label", { for: variable.id }, "Variable "), variable),
      make("span", {}, make("label", { for: label.id }, "is "), label));
    controls.addEventListener("submit", (event) => event.preventDefault());
    const frame = table.closest(".wide") ?? table;
    frame.before(controls, status);
    frame.after(more);
  };

  /** One button that opens or closes all passages of a paper's page. */
  const passages = () => {
    const all = [...document.querySelectorAll("details.passage")];
    if (all.length < 2) return;
    const button = make("button", { type: "button", class: "passages", "aria-pressed": "false" }, "Show all passages");
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(open));
      button.textContent = open ? "Hide all passages" : "Show all passages";
      for (const one of all) one.open = open;
    });
    document.querySelector("table.verdicts")?.closest(".wide").before(button);
  };

  /** A picture that could not be made says so instead of showing a broken frame. */
  const pictures = () => {
    for (const picture of document.querySelectorAll("details.passage img")) {
      picture.addEventListener("error", () => {
        picture.replaceWith(make("em", {}, "This passage could not be drawn; see the page in the PDF."));
      });
    }
  };

  for (const table of document.querySelectorAll("table.papers[data-rows]")) papersTable(table);
  for (const table of document.querySelectorAll("table.sortable")) plainTable(table);
  passages();
  pictures();
}
