(() => {
  "use strict";
  const payload = JSON.parse(document.getElementById("payload").textContent);
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const [errors, views] = [[], new Map()];

  /* ---------- data ---------- */
  function dataset(key) {
    const found = payload.datasets[key];
    found.values = found.values.map((column) => (Array.isArray(column) ? column : column.codes.map((code) => (code == null ? null : column.levels[code]))));
    return found;
  }
  const rowsByKey = new Map();
  function rows(key) {
    if (!rowsByKey.has(key)) {
      const { columns, values } = dataset(key);
      const length = values.length ? values[0].length : 0;
      rowsByKey.set(key, Array.from({ length }, (_, index) =>
        Object.fromEntries(columns.map((column, at) => [column.key, values[at][index]]))));
    }
    return rowsByKey.get(key);
  }

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  }

  /* ---------- numbers as people read them ---------- */
  function significant(value, digits = 4) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-4) return value.toExponential(digits - 1);
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    return Number(value.toFixed(Math.min(decimals, 12))).toLocaleString("en-US", { maximumFractionDigits: 12 });
  }
  function prefixed(value) {
    if (Math.abs(value) < 1e4 && Number.isInteger(value)) return value.toLocaleString("en-US");
    for (const [size, prefix] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
      if (Math.abs(value) >= size) return `${significant(value / size, 3)} ${prefix}`;
    return significant(value, 3);
  }
  function duration(value) {
    if (value < 60) return `${significant(value, 2)} s`;
    const minutes = Math.floor(value / 60);
    const two = (number) => String(number).padStart(2, "0");
    return minutes < 60 ? `${minutes} min ${two(Math.floor(value % 60))} s` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  }
  const FORMATS = {
    loss: (value) => value.toFixed(4).replace("-", "−"),
    count: prefixed,
    percent: (value) => `${(100 * value).toFixed(1)} %`,
    duration,
    bytes: (value) => (value >= 2 ** 30 ? `${significant(value / 2 ** 30, 3)} GiB` : `${significant(value / 2 ** 20, 3)} MiB`),
    number: (value) => significant(value, 4).replace("-", "−"),
    p: (value) => (value < 0.001 ? "< 0.001" : value.toFixed(3)),
    time: (value) => value.replace("T", " ").replace(/\.\d+Z$/, ""),
  };
  const NUMERIC = new Set(["loss", "count", "percent", "duration", "bytes", "number", "p"]);
  const format = (kind, value) => (value == null ? "–" : typeof value === "boolean" ? (value ? "yes" : "no") : FORMATS[kind] ? FORMATS[kind](value) : String(value));

  function architecture(name) {
    const index = payload.architectures.indexOf(name);
    if (index < 0) return document.createTextNode(name ?? "–");
    return element("span", {}, element("span", { class: `swatch a${index}`, "data-shape": index % 8, "aria-hidden": "true" }), name);
  }
  function cell(kind, value, key) {
    if (value == null) return element("span", { class: "absent" }, "–");
    if (kind === "architecture") return architecture(value);
    const means = meaningOf(key, value);
    if (kind === "status" || kind === "verdict") return element("span", { class: "badge", "data-is": value, title: means }, value);
    if (kind === "trial") return element("button", { type: "button", class: "open-trial", title: value, onclick: () => select(value) }, String(value).slice(0, 8));
    if (means) return element("span", { title: means }, format(kind, value));
    return document.createTextNode(format(kind, value));
  }

  const meaningOf = (key, value) => payload.meanings.values[key]?.[value] ?? null;
  const meaning = (key) => (payload.meanings.columns[key] ? `${key}: ${payload.meanings.columns[key]}` : key);

  /* ---------- tables ---------- */
  const PAGE = 25;
  function drawTable(host) {
    const key = host.dataset.table;
    const wantedColumns = (host.dataset.columns || "").split(",").filter(Boolean);
    const known = payload.datasets[key].columns;
    const columns = wantedColumns.length ? wantedColumns.map((name) => known.find((column) => column.key === name)).filter(Boolean) : known;
    const every = rows(key);
    const searchable = every.length > 12;
    const state = { sort: null, down: false, text: "", status: "", page: 0 };
    const body = element("tbody");
    const counter = element("span", { "aria-live": "polite" });
    const texts = every.map((row) => columns.map((column) => format(column.kind, row[column.key])).join(" ").toLowerCase());

    function visible() {
      const wanted = state.text.toLowerCase().split(/\s+/).filter(Boolean);
      let order = every.map((_, index) => index).filter((index) =>
        wanted.every((word) => texts[index].includes(word)) && (!state.status || every[index].status === state.status));
      if (state.sort) {
        const sign = state.down ? -1 : 1;
        order.sort((a, b) => {
          const [x, y] = [every[a][state.sort], every[b][state.sort]];
          if (x == null || y == null) return (x == null) - (y == null);
          return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
        });
      }
      return order;
    }
    const back = element("button", { type: "button", onclick: () => { state.page -= 1; draw(); } }, "Previous");
    const next = element("button", { type: "button", onclick: () => { state.page += 1; draw(); } }, "Next");
    const place = element("span");
    function draw() {
      const order = visible();
      const pages = Math.max(1, Math.ceil(order.length / PAGE));
      state.page = Math.min(Math.max(0, state.page), pages - 1);
      body.replaceChildren(...order.slice(state.page * PAGE, (state.page + 1) * PAGE).map((index) => {
        const row = every[index];
        return element("tr", { "data-trial": row.trial_id, "aria-selected": row.trial_id && row.trial_id === selected ? "true" : null },
          ...columns.map((column) => element("td", { class: NUMERIC.has(column.kind) ? "num" : column.kind === "wide" ? "wide" : null }, cell(column.kind, row[column.key], column.key))));
      }));
      counter.textContent = order.length === every.length ? `${every.length.toLocaleString("en-US")} rows` : `${order.length} of ${every.length} rows`;
      place.textContent = `Page ${state.page + 1} of ${pages}`;
      back.disabled = state.page === 0;
      next.disabled = state.page === pages - 1;
    }
    const heads = columns.map((column) => {
      const head = element("th", { scope: "col", class: NUMERIC.has(column.kind) ? "num" : null, "aria-sort": "none" });
      head.append(element("button", { type: "button", title: meaning(column.key), onclick: () => {
        Object.assign(state, { down: state.sort === column.key && !state.down, sort: column.key, page: 0 });
        heads.forEach((other) => other.setAttribute("aria-sort", other === head ? (state.down ? "descending" : "ascending") : "none"));
        draw();
      } }, column.label));
      return head;
    });
    const tools = [];
    if (searchable) {
      tools.push(element("input", { type: "search", placeholder: "Filter: any words, e.g. lstm stopped", "aria-label": "Filter rows",
        oninput: (event) => { state.text = event.target.value; state.page = 0; draw(); } }));
      const statuses = [...new Set(every.map((row) => row.status).filter(Boolean))];
      if (statuses.length > 1)
        tools.push(element("select", { "aria-label": "Status", onchange: (event) => { state.status = event.target.value; state.page = 0; draw(); } },
          element("option", { value: "" }, "Every status"), ...statuses.map((status) => element("option", { value: status }, status))));
      tools.push(counter);
    }
    const table = element("table", {}, element("caption", { class: "visually-hidden" }, host.dataset.caption || ""), element("thead", {}, element("tr", {}, ...heads)), body);
    host.replaceChildren(
      ...(tools.length ? [element("div", { class: "table-tools" }, ...tools)] : []),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": host.dataset.caption || "Table" }, table),
      ...(every.length > PAGE ? [element("div", { class: "pager" }, place, back, next)] : []));
    draw();
    host.redraw = draw;
  }

  /* ---------- downloads ---------- */
  function save(name, content, type) {
    const url = content instanceof Blob || !content.startsWith?.("data:") ? URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type })) : content;
    element("a", { href: url, download: name }).click();
    if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
  function field(value) {
    if (value == null) return "";
    let text = String(value);
    if (typeof value === "string" && /^[=+@\t\r-]/.test(text)) text = `'${text}`; /* spreadsheets run such text */
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  function csv(key) {
    const { columns, values } = dataset(key);
    const lines = [columns.map((column) => field(column.key)).join(",")];
    for (let index = 0; index < (values[0]?.length ?? 0); index += 1) lines.push(values.map((column) => field(column[index])).join(","));
    return lines.join("\r\n") + "\r\n";
  }

  /* ---------- charts ---------- */
  const mode = () => root.dataset.mode;
  const balanced = (count, most) => Math.ceil(count / Math.ceil(count / most)); /* no row much shorter than the others */
  function fitted(spec, width, cell) {
    const copy = structuredClone(spec);
    const names = new Set();
    (function walk(node) {
      if (!node || typeof node !== "object") return;
      if (node.data?.name && payload.datasets[node.data.name]) names.add(node.data.name);
      if (width < 460 && node.labelLimit > 0.4 * width) node.labelLimit = Math.round(0.4 * width);
      Object.values(node).forEach(walk);
    })(copy);
    copy.datasets = Object.fromEntries([...names].map((name) => [name, rows(name)]));
    const facet = copy.facet?.field;
    const count = facet && copy.spec ? new Set(copy.datasets[copy.data.name].map((row) => row[facet])).size : copy.concat?.length;
    if (count) {
      copy.columns = balanced(count, Math.max(1, Math.min(count, copy.columns || count, Math.floor((width - 30) / 225))));
      const inner = cell ?? Math.max(110, Math.floor((width - 70) / copy.columns) - 24);
      (copy.concat ?? [copy.spec]).forEach((small, place) => {
        small.width = inner;
        if (copy.concat && place % copy.columns) small.layer.forEach((layer) => { layer.encoding.y.title = null; });
      });
    }
    if (copy.width === "container" && width < copy.usermeta?.least) copy.width = copy.usermeta.least;
    if (copy.usermeta?.marginals) {
      const [above, beside] = copy.vconcat;
      const inner = cell ?? Math.max(160, width - copy.usermeta.marginals - 90);
      above.width = inner;
      beside.hconcat[0].width = inner;
    }
    return copy;
  }
  const none = { load: () => Promise.reject(new Error("this page loads nothing")), sanitize: () => Promise.reject(new Error("this page loads nothing")) };
  const warnings = [];
  console.warn = (...texts) => warnings.push(texts.join(" ")); /* Vega-Lite's remarks are for tests, not readers */
  async function draw(host, theme = mode()) {
    const spec = payload.charts[host.dataset.chart];
    if (host.dataset.state === "drawing" || !host.clientWidth) return;
    host.dataset.state = "drawing";
    views.get(host)?.finalize();
    try {
      const config = { ...payload.themes[theme] };
      if (host.clientWidth < 460) config.legend = { ...config.legend, columns: 2 };
      const options = {
        mode: "vega-lite", ast: true, actions: false, renderer: "svg", defaultStyle: false, config, loader: none,
        tooltip: { disableDefaultStyle: true, theme: "plain" },
      };
      const first = fitted(spec, host.clientWidth);
      let result = await vegaEmbed(host, first, options);
      const spare = host.clientWidth - host.querySelector("svg").getBoundingClientRect().width;
      const parts = first.columns ?? (first.usermeta?.marginals ? 1 : 0);
      if (parts && Math.abs(spare) > 4) { /* how wide axes are is known only once they are drawn */
        result.finalize();
        const before = (first.spec ?? first.concat?.[0] ?? first.vconcat[0]).width;
        const cell = Math.max(90, before + Math.floor(spare / parts) - 1);
        result = await vegaEmbed(host, fitted(spec, host.clientWidth, cell), options);
      }
      views.set(host, result);
      result.view.addEventListener("click", (_, item) => { if (item?.datum?.trial_id) select(item.datum.trial_id); });
      show(result.view);
      Object.assign(host.dataset, { state: "drawn", width: host.clientWidth, theme });
    } catch (error) {
      errors.push(`${host.dataset.chart}: ${error.message}`);
      host.dataset.state = "failed";
      host.textContent = `This chart could not be drawn: ${error.message}`;
    }
  }
  const stale = (host, theme = mode()) => host.dataset.state !== "drawn" || host.dataset.theme !== theme || Math.abs(host.dataset.width - host.clientWidth) > 2;
  const onScreen = new Set();
  const watcher = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    if (isIntersecting) { onScreen.add(target); if (stale(target)) draw(target); } else onScreen.delete(target);
  }), { rootMargin: "700px 0px" });
  function refresh() { onScreen.forEach((host) => { if (host.clientWidth && stale(host)) draw(host); }); }
  async function drawAll(theme = mode()) {
    for (const host of all(".chart")) if (host.clientWidth && stale(host, theme)) await draw(host, theme);
  }
  const later = window.requestIdleCallback ?? ((task) => setTimeout(task, 60));
  function drawWhenIdle() { /* so that a print from the browser's own menu finds every chart drawn */
    const next = all(".chart").find((host) => host.clientWidth && host.dataset.state !== "failed" && stale(host));
    if (next) draw(next).then(() => later(drawWhenIdle));
  }
  let pending;
  addEventListener("resize", () => { clearTimeout(pending); pending = setTimeout(refresh, 150); });

  /* ---------- one trial, everywhere ---------- */
  let selected = "";
  function show(view) {
    try { view.signal("trial", selected).runAsync(); } catch { /* this chart has no trials */ }
  }
  const trialsHost = document.querySelector("#trials .table");
  function select(id) {
    selected = id;
    views.forEach(({ view }) => show(view));
    all(".table").forEach((host) => host.redraw?.());
    inspect(id);
  }
  function command(text) {
    return element("li", {}, element("code", {}, text), element("button", { type: "button", class: "copy", "aria-label": `Copy: ${text}` }, "Copy"));
  }
  function curve(id) {
    const key = document.querySelector("#learning-curves-0 [data-table]")?.dataset.table;
    const points = key ? rows(key).filter((row) => row.trial_id === id && row.loss != null && row.tokens > 0) : [];
    if (points.length < 2) return null;
    const [width, height, pad] = [400, 96, 6];
    const across = points.map((row) => Math.log(row.tokens));
    const up = points.map((row) => row.loss);
    const place = (value, values, size) => pad + ((value - Math.min(...values)) / ((Math.max(...values) - Math.min(...values)) || 1)) * (size - 2 * pad);
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const named = { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Loss from ${format("loss", up[0])} to ${format("loss", up.at(-1))}` };
    Object.entries(named).forEach(([name, value]) => svg.setAttribute(name, value));
    const line = document.createElementNS(space, "polyline");
    line.setAttribute("points", points.map((row, at) => `${place(across[at], across, width)},${height - place(row.loss, up, height)}`).join(" "));
    svg.append(line);
    return element("figure", { class: "spark" }, svg, element("figcaption", {}, `Loss ${format("loss", up[0])} at ${prefixed(points[0].tokens)} tokens, ${format("loss", up.at(-1))} at ${prefixed(points.at(-1).tokens)}`));
  }
  const [inspector, FIRST_FACTS] = [document.getElementById("inspector"), 8];
  let moreFacts = false; /* so that the panel hides little of the charts behind it */
  function inspect(id) {
    inspector.hidden = !id;
    if (!id) return;
    const key = trialsHost?.dataset.table;
    const row = key && rows(key).find((candidate) => candidate.trial_id === id);
    const listed = (columns) => element("dl", {}, ...columns.map((column) =>
      element("div", {}, element("dt", { title: meaning(column.key) }, column.label),
        element("dd", { title: meaningOf(column.key, row[column.key]) }, format(column.kind, row[column.key])))));
    const facts = row ? payload.datasets[key].columns.filter(({ key: name }) => row[name] != null && !["trial_id", "architecture", "status"].includes(name)) : [];
    inspector.replaceChildren(...[
      element("header", {}, element("h2", {}, id), row ? cell("status", row.status) : null,
        element("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => select("") }, "×")),
      curve(id),
      row ? element("p", {}, architecture(row.architecture)) : element("p", {}, "This trial is not in the table below."),
      listed(facts.slice(0, FIRST_FACTS)),
      facts.length > FIRST_FACTS
        ? element("details", { open: moreFacts, ontoggle: (event) => { moreFacts = event.target.open; } },
          element("summary", {}, `${facts.length - FIRST_FACTS} more`), listed(facts.slice(FIRST_FACTS)))
        : null,
      element("ul", { class: "commands" }, ...["show", "replay", "generate"].map((verb) => command(`picosweep ${verb} ${id.slice(0, 8)}${payload.options[row?.sweep] ?? payload.option}`))),
    ].filter(Boolean));
    document.getElementById("said").textContent = `Trial ${id} selected`;
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape" && !inspector.hidden) select(""); });

  /* ---------- theme ---------- */
  addEventListener("beforeprint", () => { root.dataset.mode = "light"; });
  addEventListener("afterprint", () => applyTheme());
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let wish = "system";
  try { wish = localStorage.getItem("picosweep-theme") || "system"; } catch { /* storage is off */ }
  function applyTheme() {
    root.dataset.mode = wish === "system" ? (dark.matches ? "dark" : "light") : wish;
    all("[data-set-theme]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.setTheme === wish)));
    refresh();
  }
  dark.addEventListener("change", applyTheme);

  /* ---------- wiring ---------- */
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.setTheme) {
      wish = button.dataset.setTheme;
      try { localStorage.setItem("picosweep-theme", wish); } catch { /* storage is off */ }
      applyTheme();
    } else if (button.classList.contains("copy")) {
      const text = button.parentElement.querySelector("code").textContent;
      try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch {
        getSelection().selectAllChildren(button.parentElement.querySelector("code"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    } else if (button.classList.contains("csv")) {
      save(`${button.dataset.file}.csv`, csv(button.dataset.table), "text/csv;charset=utf-8");
    } else if (button.classList.contains("show-data")) {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) button.host.remove();
      else {
        button.host = element("div", { class: "table", "data-table": button.dataset.table, "data-caption": button.dataset.caption });
        button.closest(".exports").after(button.host);
        drawTable(button.host);
      }
    } else if (button.classList.contains("image")) {
      const host = document.querySelector(`.chart[data-chart="${CSS.escape(button.dataset.of)}"]`);
      const view = views.get(host)?.view;
      if (!view) return;
      if (button.dataset.format === "svg") save(`${button.dataset.of}.svg`, await view.toSVG(), "image/svg+xml");
      else (await view.toCanvas(2)).toBlob((blob) => save(`${button.dataset.of}.png`, blob));
    } else if (button.dataset.open) {
      select(button.dataset.open);
    } else if (button.id === "print") {
      await drawAll("light");
      print();
      refresh();
    } else if (button.getAttribute("role") === "tab") chooseTab(button);
  });
  function chooseTab(tab) {
    all("[role=tab]", tab.parentElement).forEach((other) => {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !on;
    });
    tab.focus();
    all(".chart", document.getElementById(tab.getAttribute("aria-controls"))).forEach((host) => { if (stale(host)) draw(host); });
  }
  document.addEventListener("change", (event) => {
    const figure = event.target.dataset?.chooser;
    if (!figure) return;
    all(".panel", document.getElementById(figure)).forEach((panel) => { panel.hidden = panel.id !== event.target.value; });
    all(".chart", document.getElementById(event.target.value)).forEach((host) => { if (stale(host)) draw(host); });
  });
  document.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.target.getAttribute?.("role") !== "tab") return;
    const tabs = all("[role=tab]", event.target.parentElement);
    chooseTab(tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length]);
    event.preventDefault();
  });
  const links = all(".contents a");
  const reader = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (!entry.isIntersecting) return;
    links.forEach((link) => { if (link.hash === `#${entry.target.id}`) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); });
  }), { rootMargin: "-20% 0px -70% 0px" });

  all("[data-architecture]").forEach((name) => name.replaceWith(architecture(name.dataset.architecture)));
  applyTheme();
  all(".table").forEach(drawTable);
  all(".chart").forEach((host) => watcher.observe(host));
  all("main > section").forEach((section) => reader.observe(section));
  later(drawWhenIdle);
  if (payload.refresh) setInterval(() => { if (!document.hidden && inspector.hidden) location.reload(); }, 1000 * payload.refresh);
  window.picosweep = { drawAll, select, errors, warnings, csv, field, signals: (name) => [...views.values()].flatMap(({ view }) => { try { return [view.signal(name)]; } catch { return []; } }) };
})();
