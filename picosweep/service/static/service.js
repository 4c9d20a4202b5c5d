// The service's pages: asks for parts of the page again when something has changed.

const body = document.body;
const token = document.querySelector('meta[name="page-token"]').content;
const said = document.getElementById("said");
const SVG = "http://www.w3.org/2000/svg";

// Theme: as the report keeps it, so that both look alike.
const KEPT = "picosweep-theme";
function showMode() {
  let kept = "system";
  try { kept = localStorage.getItem(KEPT) || "system"; } catch { /* no storage: follow the system */ }
  const dark = kept === "dark" || (kept === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.mode = dark ? "dark" : "light";
  for (const button of document.querySelectorAll(".switch [data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === kept));
  }
}
for (const button of document.querySelectorAll(".switch [data-mode]")) {
  button.addEventListener("click", () => {
    try { localStorage.setItem(KEPT, button.dataset.mode); } catch { /* shown until it is left */ }
    showMode();
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showMode);
showMode();

function say(text) {
  said.textContent = text;
  said.hidden = !text;
}

function told(problem) {
  const place = [problem.where, problem.key].filter(Boolean).join(": ");
  const more = ["found", "allowed", "hint"].filter((name) => problem[name]).map((name) => `\n  ${name}: ${problem[name]}`);
  return `${place ? `${place}: ` : ""}${problem.message}${more.join("")}`;
}

// Returns [whether it was done, answer]; an answer that was not done has `problems`.
async function post(address, content) {
  try {
    const response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json", "x-picosweep-page": token },
      body: JSON.stringify(content),
    });
    if (response.status === 401 && body.dataset.page !== "login") {
      location.assign("/login");
      return [false, { problems: [] }];
    }
    const answer = await response.json();
    if (response.ok) return [true, answer];
    const problems = answer.problems || [{ message: `the service answers ${response.status}` }];
    return [false, { problems }];
  } catch {
    return [false, { problems: [{ message: "the service does not answer" }] }];
  }
}

async function patch(part) {
  const focused = document.activeElement && part.contains(document.activeElement) ? document.activeElement : null;
  const wanted = focused && (focused.dataset.post || focused.getAttribute("href"));
  const label = focused && focused.textContent;
  try {
    const response = await fetch(part.dataset.part + (part.id === "trials" ? location.search : ""));
    if (!response.ok) return;
    const text = await response.text();
    if (part.dataset.last === text) return;
    part.dataset.last = text;
    part.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
  } catch { return; /* it is asked again at the next event */ }
  if (wanted) {
    const again = [...part.querySelectorAll("a, button")].find(
      (one) => (one.dataset.post === wanted || one.getAttribute("href") === wanted) && one.textContent === label);
    if (again) again.focus();
  }
}

function busyChoosing(part) {
  return part.contains(document.activeElement) && document.activeElement.tagName === "SELECT";
}

let due = 0;
function refresh() {
  // At most once a second, however many events there are.
  if (due) return;
  due = setTimeout(async () => {
    due = 0;
    if (document.hidden) return;
    for (const part of document.querySelectorAll("[data-part]")) if (!busyChoosing(part)) await patch(part);
    await drawCurves();
    await drawFront();
  }, 1000);
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-post]");
  if (!button) return;
  if (button.dataset.sure && !confirm(button.dataset.sure)) return;
  button.disabled = true;
  const [done, answer] = await post(button.dataset.post, JSON.parse(button.dataset.body || "{}"));
  say(done ? "" : answer.problems.map(told).join("\n"));
  button.disabled = false;
  refresh();
});

// Events

function listen(address) {
  const source = new EventSource(address);
  for (const kind of ["changes", "queue", "reload"]) source.addEventListener(kind, refresh);
  source.addEventListener("error", () => { if (source.readyState === 2) setTimeout(() => listen(address), 5000); });
}

// Curves

let seenCurves = "";
async function drawCurves() {
  const place = document.getElementById("curves");
  if (!place) return;
  const query = body.dataset.trial ? `?trial=${body.dataset.trial}` : "";
  const response = await fetch(`/api/sweeps/${body.dataset.sweep}/curves${query}`);
  if (!response.ok) return;
  const text = await response.text();
  if (text === seenCurves) return;
  seenCurves = text;
  const curves = JSON.parse(text).map((one) => ({
    ...one, points: one.steps.map((step, n) => [step, one.losses[n]]).filter((point) => point[1] !== null),
  })).filter((one) => one.points.length);
  place.replaceChildren(...(curves.length ? [legend(curves), chart(curves, place.clientWidth)] : [note("No trial has reported yet.")]));
}

let seenFront = "";
async function drawFront() {
  const place = document.getElementById("front");
  if (!place) return;
  const response = await fetch(`/api/sweeps/${body.dataset.sweep}/front`);
  if (!response.ok) return;
  const text = await response.text();
  if (text === seenFront) return;
  seenFront = text;
  const points = JSON.parse(text);
  place.replaceChildren(...(points.length ? [legend(points), scatter(points, place.clientWidth)] : [note("No trial has reported yet.")]));
}

function note(text) {
  const paragraph = document.createElement("p");
  paragraph.className = "empty";
  paragraph.textContent = text;
  return paragraph;
}

function draw(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const place = (names, name) => names.indexOf(name) % 8;
const look = (number) => `c${number} d${number % 4}`;
const namesOf = (curves) => [...new Set(curves.map((one) => one.architecture))].sort();

function legend(curves) {
  const list = document.createElement("div");
  list.className = "legend";
  const names = namesOf(curves);
  for (const name of names) {
    const entry = document.createElement("span");
    const sample = draw("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" });
    sample.append(draw("path", { d: "M0 5H26", class: look(place(names, name)) }));
    entry.append(sample, name);
    list.append(entry);
  }
  return list;
}

function ticks(low, high, most) {
  const raw = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(10)));
  return found;
}

function chart(curves, width) {
  const [height, left, right, top, bottom] = [width < 600 ? 240 : 340, 52, 10, 8, 40];
  const points = curves.flatMap((one) => one.points);
  const range = (axis) => [Math.min(...points.map((p) => p[axis])), Math.max(...points.map((p) => p[axis]))];
  let [[x0, x1], [y0, y1]] = [range(0), range(1)];
  if (x0 === x1) [x0, x1] = [0, x1 || 1];
  if (y0 === y1) [y0, y1] = [y0 - 0.5, y1 + 0.5];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  const names = namesOf(curves);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Validation loss over steps of ${curves.length} trials, from ${y1.toPrecision(4)} down to ${y0.toPrecision(4)}` });
  for (const at of ticks(y0, y1, 6)) {
    svg.append(draw("line", { x1: left, x2: width - right, y1: y(at), y2: y(at), class: "grid" }));
    svg.append(draw("text", { x: left - 8, y: y(at) + 4, "text-anchor": "end" }, String(at)));
  }
  for (const at of ticks(x0, x1, width < 600 ? 4 : 8)) {
    svg.append(draw("text", { x: x(at), y: height - bottom + 18, "text-anchor": "middle" }, at.toLocaleString("en")));
  }
  svg.append(draw("line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, class: "axis" }));
  svg.append(draw("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, "Optimizer steps"));
  svg.append(draw("text", { x: 12, y: (height - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(height - bottom) / 2})` }, "Validation loss"));
  for (const one of curves) {
    const faint = one.status === "stopped" ? " faint" : "";
    const path = one.points.map(([step, loss], n) => `${n ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join("");
    const style = look(place(names, one.architecture)) + faint;
    const [[step, loss]] = one.points;
    const line = one.points.length > 1 ? draw("path", { d: path, class: style })
      : draw("circle", { cx: x(step), cy: y(loss), r: 3, class: style });
    line.append(draw("title", {}, `${one.architecture} ${one.trial_id.slice(0, 8)}: ${one.points.at(-1)[1].toPrecision(5)}`));
    svg.append(line);
  }
  return svg;
}

function scatter(points, width) {
  const [height, left, right, top, bottom] = [width < 600 ? 240 : 300, 52, 14, 10, 40];
  const sizes = points.map((one) => Math.log10(one.num_params));
  const losses = points.map((one) => one.loss);
  let [x0, x1, y0, y1] = [Math.min(...sizes), Math.max(...sizes), Math.min(...losses), Math.max(...losses)];
  if (x0 === x1) [x0, x1] = [x0 - 0.5, x1 + 0.5];
  if (y0 === y1) [y0, y1] = [y0 - 0.5, y1 + 0.5];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  const names = namesOf(points);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Loss over parameters of ${points.length} trials` });
  for (const at of ticks(y0, y1, 5)) {
    svg.append(draw("line", { x1: left, x2: width - right, y1: y(at), y2: y(at), class: "grid" }));
    svg.append(draw("text", { x: left - 8, y: y(at) + 4, "text-anchor": "end" }, String(at)));
  }
  for (const at of ticks(x0, x1, width < 600 ? 3 : 6)) {
    svg.append(draw("text", { x: x(at), y: height - bottom + 18, "text-anchor": "middle" }, Number((10 ** at).toPrecision(2)).toLocaleString("en")));
  }
  svg.append(draw("line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, class: "axis" }));
  svg.append(draw("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, "Parameters"));
  const front = points.filter((one) => one.on_front);
  svg.append(draw("path", { class: "joined", d: front.map((one, n) => `${n ? "L" : "M"}${x(Math.log10(one.num_params)).toFixed(1)} ${y(one.loss).toFixed(1)}`).join("") }));
  for (const one of points) {
    const dot = draw("circle", { cx: x(Math.log10(one.num_params)), cy: y(one.loss), r: one.on_front ? 4 : 3,
      class: `c${place(names, one.architecture)}${one.on_front ? " on" : ""}` });
    dot.append(draw("title", {}, `${one.architecture} ${one.trial_id.slice(0, 8)}: ${one.loss.toPrecision(5)}, ${one.num_params.toLocaleString("en")} parameters`));
    svg.append(dot);
  }
  return svg;
}

// Pages

if (body.dataset.page === "home") listen("/api/events");

if (body.dataset.page === "sweep" || body.dataset.page === "trial") {
  drawCurves();
  drawFront();
  listen(`/api/sweeps/${body.dataset.sweep}/events?after=${body.dataset.position || ""}`);
}

const logDetails = document.getElementById("log-details");
if (logDetails) {
  const load = async () => {
    if (!logDetails.open) return;
    const response = await fetch(`/api/sweeps/${body.dataset.sweep}/log`);
    const log = document.getElementById("log");
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    log.textContent = (await response.json()).text || "nothing yet";
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  logDetails.addEventListener("toggle", load);
  setInterval(load, 2000);
}

if (body.dataset.page === "login") {
  const logIn = async (given) => {
    const [done, answer] = await post("/login", { token: given });
    if (done) location.assign("/");
    else say(answer.problems.map(told).join("\n"));
  };
  document.getElementById("login").addEventListener("submit", (event) => {
    event.preventDefault();
    logIn(document.getElementById("token").value);
  });
  if (location.hash.length > 1) {
    const given = location.hash.slice(1);
    history.replaceState(null, "", "/login"); // not to stay in the history
    logIn(given);
  }
}

const generate = document.getElementById("generate");
if (generate) {
  generate.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [button, written] = [event.submitter, document.getElementById("written")];
    const prompt = document.getElementById("prompt").value;
    button.disabled = true;
    written.hidden = false;
    written.textContent = "loading the model…";
    const [done, answer] = await post(`/api/sweeps/${body.dataset.sweep}/trials/${body.dataset.trial}/generate`,
      { prompt, temperature: Number(document.getElementById("temperature").value), seed: Math.floor(Math.random() * 1e9) });
    written.textContent = done ? prompt + answer.text : answer.problems.map(told).join("\n");
    button.disabled = false;
  });
}

if (body.dataset.page === "new") editor();

function editor() {
  const spec = document.getElementById("spec");
  const lines = document.getElementById("lines");
  const problems = document.getElementById("problems");
  const plan = document.getElementById("plan");
  const planButton = document.getElementById("plan-button");
  let wrong = new Set();

  const number = () => {
    const count = spec.value.split("\n").length;
    lines.replaceChildren(...Array.from({ length: count }, (_, n) => {
      const line = document.createElement(wrong.has(n + 1) ? "b" : "span");
      line.textContent = `${n + 1}\n`;
      return line;
    }));
    lines.scrollTop = spec.scrollTop;
  };
  spec.addEventListener("input", number);
  spec.addEventListener("scroll", () => { lines.scrollTop = spec.scrollTop; });
  number();

  // What the setting at the caret is.
  const explained = document.getElementById("explained");
  let asked = "";
  const explain = async () => {
    const line = spec.value.slice(0, spec.selectionStart).split("\n").length;
    const before = spec.value.slice(0, spec.selectionStart).split("\n").at(-1);
    const names = [...before.matchAll(/([A-Za-z_]+)\s*:/g)];
    const name = names.length ? names.at(-1)[1] : (spec.value.split("\n")[line - 1].match(/^\s*([A-Za-z_]+)\s*:/) || [])[1];
    if (!name || name === asked) return;
    asked = name;
    const response = await fetch(`/api/explain/${encodeURIComponent(name)}`);
    if (!response.ok || asked !== name) { explained.replaceChildren(); return; }
    const one = (await response.json()).find((it) => it.path.split(".").at(-1) === name);
    explained.replaceChildren();
    if (!one) return;
    const head = document.createElement("b");
    head.textContent = one.path;
    const more = [one.type, one.range, one.default && `default ${one.default}`].filter(Boolean).join("; ");
    explained.append(head, `${one.meaning} (${more})`);
  };
  for (const kind of ["keyup", "click"]) spec.addEventListener(kind, explain);

  const goTo = (line) => {
    const before = spec.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1);
    spec.focus();
    spec.setSelectionRange(before, before + spec.value.split("\n")[line - 1].length);
    spec.scrollTop = (line - 4) * parseFloat(getComputedStyle(spec).lineHeight);
  };

  const showProblems = (found) => {
    wrong = new Set();
    problems.replaceChildren(...found.map((problem) => {
      const line = Number((problem.where || "").split(":").at(-1)) || 0;
      const entry = document.createElement("p");
      if (line) {
        wrong.add(line);
        const link = document.createElement("button");
        link.type = "button";
        link.textContent = `Line ${line}`;
        link.addEventListener("click", () => goTo(line));
        entry.append(link, " ");
      }
      entry.append(told({ ...problem, where: "" }));
      return entry;
    }));
    number();
  };

  const doing = async (button, text, work) => {
    const before = button.textContent;
    button.disabled = true;
    button.textContent = text;
    await work();
    button.disabled = false;
    button.textContent = before;
  };

  planButton.addEventListener("click", () => doing(planButton, "Looking at it…", async () => {
    plan.replaceChildren();
    const [done, answer] = await post("/api/plan", { spec: spec.value });
    showProblems(done ? [] : answer.problems);
    if (done) plan.replaceChildren(...showPlan(answer));
  }));

  document.getElementById("submit").addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter;
    doing(button, "Checking it…", async () => {
      const again = body.dataset.again;
      const [done, answer] = again
        ? await post(`/api/submissions/${again}/resume`, { spec: spec.value })
        : await post("/api/submissions", { spec: spec.value, priority: Number(document.getElementById("priority").value), key: crypto.randomUUID ? crypto.randomUUID() : String(Math.random()) });
      showProblems(done ? [] : answer.problems);
      if (done) location.assign("/");
    });
  });
}

function showPlan(plan) {
  const heading = document.createElement("h3");
  const minutes = plan.seconds < 90 ? `${plan.seconds.toFixed(0)} s` : `${(plan.seconds / 60).toFixed(0)} min`;
  heading.textContent = `About ${minutes} in ${plan.slots} slots of this machine`;
  const table = document.createElement("table");
  const row = (cells, tag) => {
    const line = document.createElement("tr");
    cells.forEach((text, n) => {
      const cell = document.createElement(tag);
      cell.textContent = text;
      if (n) cell.className = "n";
      line.append(cell);
    });
    return line;
  };
  table.append(row(["Architecture", "Trials", "Confirmations", "Expected tokens", "Tokens/s a slot", "Memory"], "th"));
  for (const one of plan.architectures) {
    table.append(row([one.name, one.num_trials, one.num_confirmations, Math.round(one.expected_tokens).toLocaleString("en"),
      Math.round(one.tokens_per_second).toLocaleString("en"), `${(one.memory_bytes / 1e6).toFixed(0)} MB`], "td"));
  }
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.append(table);
  return [heading, scroll, ...plan.remarks.map(note)];
}
