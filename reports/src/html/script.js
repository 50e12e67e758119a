"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const say = make("p", { className: "said", role: "status" });

  // The address: #TARGET?key=value&key=value
  const read = () => {
    const [target, query] = location.hash.slice(1).split("?");
    return { target, state: new URLSearchParams(query || "") };
  };
  const address = (target, state) => {
    const query = state.toString();
    return "#" + target + (query ? "?" + query : "");
  };
  const remember = (key, value) => {
    const { target, state } = read();
    if (value) state.set(key, value); else state.delete(key);
    history.replaceState(null, "", address(target, state) || " ");
  };

  // Navigation to a counterexample and back.
  const show = (target) => {
    const node = target && document.getElementById(target);
    if (!node) return;
    for (let up = node.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
    node.scrollIntoView({ block: "start" });
    if (!node.matches("article")) return;
    node.tabIndex = -1;
    node.focus({ preventScroll: true });
  };
  let came;
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    came = link;
    const to = address(link.getAttribute("href").slice(1), read().state);
    if (to === location.hash) show(read().target); else location.hash = to;
  });
  addEventListener("hashchange", () => {
    restore();
    const { target } = read();
    if (target) show(target);
    else if (came) came.focus();
  });

  // Diagrams: packed in one stream, and drawn when their placeholders come into view.
  const packed = $("#diagrams");
  let diagrams = new Map();
  const unpack = async () => {
    const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const lines = (await new Response(stream).text()).split("\n");
    diagrams = new Map(lines.map((line) => line.split("\t")));
  };
  const draw = (words) => {
    const svg = diagrams.get(words.closest("article").id);
    if (!svg) return;
    const region = make("div", { className: "scroll diagram", tabIndex: 0 });
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", "Space-time diagram");
    region.append(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement);
    words.replaceWith(region);
  };
  if (packed && "DecompressionStream" in window) {
    let unpacked;
    const near = new IntersectionObserver((entries) => {
      for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
        near.unobserve(target);
        unpacked ??= unpack();
        unpacked.then(() => draw(target));
      }
    }, { rootMargin: "0px 0px 800px" });
    for (const words of $$(".undrawn")) near.observe(words);
  }

  // Print promises and failures unfolded, with the diagrams of the locks that the reader opened.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    $$("details.lock[open] .undrawn").forEach(draw);
    unfolded = $$("#promises details:not([open]), details.lock:not([open])");
    for (const one of unfolded) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of unfolded) one.open = false; });

  // Copy buttons.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  for (const box of $$(".command")) {
    const button = make("button", { type: "button", textContent: "Copy" });
    button.setAttribute("aria-label", "Copy the command");
    button.addEventListener("click", async () => {
      await copy($("code", box).textContent);
      button.textContent = "Copied";
      say.textContent = "The command was copied.";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(button);
  }

  // Sorting.
  const bodyRows = (table) => [...table.tBodies[0].rows];
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.matches(".na")) return -1;
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    if (!cell.matches("table.matrix td")) return cell.textContent.trim();
    // "3 of 1,000": the first number is bold, unless no case was violated.
    const violated = $("b", cell);
    const number = (node) => Number(node.textContent.replace(/\D/g, ""));
    return violated ? number(violated) / number(violated.nextSibling) || 0 : 0;
  };
  const order = (table, column, down) => {
    const heads = [...table.tHead.rows].at(-1).cells;
    [...heads].forEach((head, at) => head.setAttribute("aria-sort", at !== column ? "none" : down ? "descending" : "ascending"));
    const rows = bodyRows(table);
    rows.sort((a, b) => {
      const [x, y] = [key(a, column), key(b, column)];
      const way = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return (down ? -way : way) || a.dataset.place - b.dataset.place;
    });
    table.tBodies[0].append(...rows);
  };
  const tables = $$("table.sortable");
  tables.forEach((table, number) => {
    bodyRows(table).forEach((row, place) => { row.dataset.place = place; });
    [...[...table.tHead.rows].at(-1).cells].forEach((head, column) => {
      const button = make("button", { type: "button", className: "sort" });
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        order(table, column, down);
        remember("sort", [number, column, down ? "down" : "up"].join("."));
      });
    });
  });

  // Filtering.
  const form = $("#filters");
  const families = [...new Set($$("tr[data-family]").map((row) => row.dataset.family))];
  const search = make("input", { type: "search", id: "filter-lock", placeholder: "name of a lock", autocomplete: "off" });
  const family = make("select", { id: "filter-family" },
    make("option", { value: "", textContent: "all kinds of service" }),
    ...families.map((name) => make("option", { value: name, textContent: name })));
  const found = make("select", { id: "filter-found" },
    make("option", { value: "", textContent: "all findings" }),
    make("option", { value: "violated", textContent: "some violation in the row" }),
    make("option", { value: "none", textContent: "no violation in the row" }),
    make("option", { value: "documentation", textContent: "model checked against documentation only" }));
  const controls = { lock: search, kind: family, found };
  const count = make("output", { className: "aside" });
  const kinds = new Map($$("tr[data-family]").map((row) => [row.dataset.lock, row.dataset]));
  const matches = (row) => {
    const facts = kinds.get(row.dataset.lock) || {};
    const bad = row.closest("table.matrix") ? $$("td[class^=r]", row).length > 0 : undefined;
    return row.dataset.lock.toLowerCase().includes(search.value.trim().toLowerCase())
      && (!family.value || facts.family === family.value)
      && (found.value !== "violated" || bad !== false)
      && (found.value !== "none" || bad !== true)
      && (found.value !== "documentation" || facts.model === "documentation");
  };
  const filter = () => {
    for (const row of $$("tr[data-lock]")) row.hidden = !matches(row);
    const rows = $$(".view").find((view) => view.offsetParent !== null);
    const shown = rows ? $$("tr[data-lock]", rows) : [];
    count.textContent = shown.filter((row) => !row.hidden).length + " of " + shown.length + " locks";
  };
  const restore = () => {
    const { state } = read();
    for (const [name, control] of Object.entries(controls)) control.value = state.get(name) || "";
    const view = $("#view-" + CSS.escape(state.get("view") || "harm"));
    if (view) view.checked = true;
    const [number, column, way] = (state.get("sort") || "").split(".");
    if (tables[number] && [...tables[number].tHead.rows].at(-1).cells[column]) order(tables[number], Number(column), way === "down");
    filter();
  };
  if (form) {
    form.hidden = false;
    form.append(
      make("label", { htmlFor: search.id, textContent: "Filter locks (/)" }), search,
      make("label", { htmlFor: family.id, textContent: "Service" }), family,
      make("label", { htmlFor: found.id, textContent: "Show" }), found, count, say);
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const [name, control] of Object.entries(controls)) {
      control.addEventListener("input", () => { filter(); remember(name, control.value); });
    }
    for (const radio of $$(".views > input")) {
      radio.addEventListener("change", () => {
        remember("view", radio.id === "view-harm" ? "" : radio.id.slice(5));
        filter();
      });
    }
  }

  // Keys: arrows move between linked cells of a matrix, / filters, Escape goes back.
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], k: [-1, 0], j: [1, 0] };
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target.closest("article.failure")) {
      history.back();
    } else if (steps[event.key] && event.target.matches("table.matrix td a")) {
      const [down, right] = steps[event.key];
      const cell = event.target.closest("td");
      const rows = bodyRows(cell.closest("table")).filter((row) => !row.hidden);
      let [row, column] = [rows.indexOf(cell.parentElement), cell.cellIndex];
      for (;;) {
        row += down;
        column += right;
        const next = rows[row]?.cells[column];
        if (!next) return;
        const link = $("a", next);
        if (link) {
          event.preventDefault();
          link.focus();
          return;
        }
      }
    }
  });

  // The theme follows the system unless the reader chooses one.
  const theme = make("button", { type: "button", className: "theme", textContent: "Dark or light" });
  theme.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  $("header").prepend(theme);

  restore();
  show(read().target);
})();
