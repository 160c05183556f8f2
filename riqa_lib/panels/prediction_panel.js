// The browser's half of prediction_panel.py. It draws `page` and sends what a person does; whatever
// comes from files (names of pictures, of folders, of grades) is only ever put in as text.

const CSS = `
.riqa-browse { font-family: sans-serif; max-width: 1080px; padding: 4px; line-height: 1.35; }
.riqa-browse:focus { outline: 2px solid #1a73e8; }
.riqa-browse .kind { font-weight: bold; padding: 3px 8px; border-left: 6px solid #009E73; }
.riqa-browse .kind.simulated { border-color: #D55E00; }
.riqa-browse .title, .riqa-browse .summary { margin: 4px 0; }
.riqa-browse .summary { font-weight: bold; min-height: 1.4em; }
.riqa-browse .controls { display: flex; flex-wrap: wrap; gap: 6px 14px; margin: 6px 0; }
.riqa-browse label { display: inline-flex; flex-direction: column; font-size: 85%; }
.riqa-browse select, .riqa-browse button, .riqa-browse input { font: inherit; }
.riqa-browse .main { display: flex; flex-wrap: wrap; gap: 18px; align-items: flex-start; }
.riqa-browse .picture { image-rendering: pixelated; max-width: 100%; display: block; }
.riqa-browse .caption, .riqa-browse .help { font-size: 85%; opacity: 0.8; margin: 3px 0; }
.riqa-browse .nav { margin: 6px 0; display: flex; gap: 6px; align-items: center; }
.riqa-browse .nav input { width: 5em; }
.riqa-browse .told { flex: 1 1 420px; min-width: 0; overflow-wrap: anywhere; }
.riqa-browse table { border-collapse: collapse; margin: 4px 0 10px; font-size: 92%; }
.riqa-browse th, .riqa-browse td { padding: 2px 8px; text-align: left; font-weight: normal; }
.riqa-browse thead th { border-bottom: 1px solid currentColor; font-weight: bold; }
.riqa-browse tr.true { background: rgba(0, 158, 115, 0.18); }
.riqa-browse td.bar { min-width: 130px; white-space: nowrap; }
.riqa-browse td.bar span { display: inline-block; height: 0.8em; margin-right: 5px; }
.riqa-browse .votes span { background: #8a8a8a; }
.riqa-browse .m0 span { background: #0072B2; }
.riqa-browse .m1 span { background: #D55E00; }
.riqa-browse td.said { font-weight: bold; }
.riqa-browse .trouble { color: #b00020; font-weight: bold; min-height: 1.2em; }
.riqa-browse .lower { display: flex; flex-wrap: wrap; gap: 24px; align-items: flex-start; }
.riqa-browse .confusion button { min-width: 3em; border: 1px solid transparent; cursor: pointer;
  background: rgba(128, 128, 128, 0.15); color: inherit; }
.riqa-browse .confusion button.right { background: rgba(0, 158, 115, 0.25); }
.riqa-browse .confusion button.here { border-color: currentColor; font-weight: bold; }
.riqa-browse .everyone button { border: none; background: none; color: inherit; cursor: pointer;
  text-decoration: underline; padding: 0; text-align: left; }
.riqa-browse .everyone tr.here { font-weight: bold; }
.riqa-browse.waiting .main, .riqa-browse.waiting .lower { opacity: 0.45; }
.riqa-browse [hidden] { display: none !important; }
`;

const FIELDS = [
  ["method", "method"],
  ["other", "compare with"],
  ["seed", "seed"],
  ["labels", "labels"],
  ["split", "pictures"],
  ["truth", "true grade"],
  ["said", "method says"],
  ["sort", "order"],
];
const PATIENCE = 8000; // ms without an answer of the kernel before the panel says so
const SIDE = 400; // px that a small picture is enlarged to, in whole steps

function make(parent, tag, name = "", text = "") {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== "") node.textContent = text;
  parent.append(node);
  return node;
}

function table(parent, name, head) {
  const whole = make(parent, "table", name);
  const row = make(make(whole, "thead"), "tr");
  for (const text of head) make(row, "th", "", text).scope = "col";
  return make(whole, "tbody");
}

function render({ model, el }) {
  const root = make(el, "div", "riqa-browse");
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "predictions of photographs");
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's own keys
  make(root, "style", "", CSS);
  const kind = make(root, "div", "kind");
  const title = make(root, "div", "title");
  const notes = make(root, "div", "notes");
  const body = make(root, "div", "body");
  const controls = make(body, "div", "controls");
  const summary = make(body, "div", "summary");
  const trouble = make(body, "div", "trouble");
  trouble.setAttribute("role", "alert");
  const main = make(body, "div", "main");
  const left = make(main, "div", "left");
  const picture = make(left, "img", "picture");
  const caption = make(left, "div", "caption");
  const nav = make(left, "div", "nav");
  const told = make(main, "div", "told");
  const lower = make(body, "div", "lower");
  make(
    body,
    "div",
    "help",
    "Keys, once you have clicked on the panel: ← → picture, Home End first and last, ↑ ↓ method, " +
      "x exchanges the two methods, a figure takes only pictures of that true grade (again: all), " +
      "Esc leaves a menu.",
  );

  let question = 0; // the last that was sent
  let timer = null;
  function send(message) {
    question += 1;
    clearTimeout(timer);
    timer = setTimeout(() => {
      trouble.textContent = "No answer yet: the kernel is busy, or has stopped.";
      root.classList.add("waiting");
    }, PATIENCE);
    model.send({ ...message, question });
  }

  const menus = {};
  for (const [field, text] of FIELDS) {
    const label = make(controls, "label", "", text);
    const menu = (menus[field] = make(label, "select", field));
    menu.addEventListener("change", () => send({ choose: { [field]: menu.value } }));
  }
  const back = make(nav, "button", "back", "◀ previous");
  const at = make(nav, "input", "at");
  const of = make(nav, "span", "of");
  const next = make(nav, "button", "next", "next ▶");
  at.type = "number";
  at.min = 1;
  at.setAttribute("aria-label", "place in the list");
  back.addEventListener("click", () => send({ step: -1 }));
  next.addEventListener("click", () => send({ step: 1 }));
  at.addEventListener("change", () => send({ go: Math.round(Number(at.value) || 1) - 1 }));

  const does = {
    ArrowLeft: { step: -1 },
    ArrowRight: { step: 1 },
    Home: { go: 0 },
    End: { go: Number.MAX_SAFE_INTEGER },
    ArrowUp: { method: -1 },
    ArrowDown: { method: 1 },
    x: { swap: true },
  };
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // a key that JupyterLab sees makes it focus one of its cells
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      root.focus({ preventScroll: true });
      return;
    }
    if (["SELECT", "INPUT"].includes(event.target.tagName)) return;
    const page = model.get("page");
    const grade = /^[0-9]$/.test(event.key) && Number(event.key) < (page.grades || []).length;
    const message = grade
      ? { choose: { truth: page.chosen.truth === event.key ? "" : event.key } }
      : does[event.key];
    if (!message || page.state === "missing") return;
    event.preventDefault();
    send(message);
  });
  root.addEventListener("click", (event) => {
    if (!event.target.closest("button, select, input, label")) root.focus({ preventScroll: true });
  });

  function options(page) {
    for (const [field] of FIELDS) {
      const menu = menus[field];
      const offers = page.choices[field];
      const now = JSON.stringify(offers);
      if (menu.dataset.offers !== now) {
        menu.replaceChildren();
        for (const [value, text] of offers) make(menu, "option", "", text).value = value;
        menu.dataset.offers = now;
      }
      menu.value = page.chosen[field];
      menu.parentElement.hidden = ["seed", "labels"].includes(field) && offers.length < 2;
    }
  }

  function bar(row, name, share, text, said) {
    const cell = make(row, "td", `bar ${name}`);
    if (said) cell.classList.add("said");
    make(cell, "span").style.width = `${Math.round(90 * share)}px`;
    cell.append(text);
  }

  function ofPicture(page) {
    told.replaceChildren();
    if (page.state !== "picture") return;
    for (const [k, m] of page.methods.entries()) {
      const line = make(told, "div", `verdict m${k}`);
      make(line, "b", "", m.name);
      line.append(` ${m.verdict}`);
    }
    if (page.apart) make(told, "div", "apart", `The two are ${page.apart}.`);
    const voted = page.votes.reduce((sum, n) => sum + n, 0);
    const head = ["grade", ...(voted ? [`votes of ${voted} people`] : [])];
    const rows = table(told, "grades", [...head, ...page.methods.map((m) => m.name)]);
    for (const [grade, name] of page.grades.entries()) {
      const row = make(rows, "tr", grade === page.truth ? "true" : "");
      make(row, "th", "", grade === page.truth ? `${name}, true` : name).scope = "row";
      if (voted) bar(row, "votes", page.votes[grade] / voted, String(page.votes[grade]), false);
      for (const [k, m] of page.methods.entries()) {
        bar(row, `m${k}`, m.p[grade], m.p[grade].toFixed(2), m.said === grade);
      }
    }
    if (!voted) make(told, "div", "caption", "Nobody's votes are known.");
    const facts = make(make(told, "table", "facts"), "tbody");
    for (const [what, value] of page.facts) {
      const row = make(facts, "tr");
      make(row, "th", "", what).scope = "row";
      make(row, "td", "", value);
    }
  }

  function confusion(page) {
    const block = make(lower, "div", "confusion");
    const name = page.choices.method.find(([value]) => value === page.chosen.method)[1];
    make(block, "b", "", `What ${name} says, by true grade: click to see these pictures`);
    const rows = table(block, "", ["true ↓  said →", ...page.grades]);
    for (const [truth, counts] of page.confusion.entries()) {
      const row = make(rows, "tr");
      make(row, "th", "", page.grades[truth]).scope = "row";
      for (const [said, count] of counts.entries()) {
        const button = make(make(row, "td"), "button", truth === said ? "right" : "", String(count));
        const here = page.chosen.truth === String(truth) && page.chosen.said === String(said);
        button.classList.toggle("here", here);
        const words = `true ${page.grades[truth]}, said ${page.grades[said]}: ${count} pictures`;
        button.setAttribute("aria-label", words);
        button.dataset.cell = `${truth}-${said}`;
        const wanted = here ? ["", ""] : [String(truth), String(said)];
        button.addEventListener("click", () =>
          send({ choose: { truth: wanted[0], said: wanted[1] } }),
        );
      }
    }
  }

  function everyone(page) {
    const block = make(lower, "div", "everyone");
    make(block, "b", "", "What every method says of this picture: click to look through its eyes");
    const rows = table(block, "", ["method", "says", "probability", "right"]);
    for (const [key, name, said, sure, right] of page.everyone) {
      const row = make(rows, "tr", page.chosen.method === key ? "here" : "");
      const button = make(make(row, "td"), "button", "", name);
      button.addEventListener("click", () => send({ choose: { method: key } }));
      make(row, "td", "", said);
      make(row, "td", "", sure);
      make(row, "td", "", right === null ? "unknown" : right ? "yes" : "no");
    }
  }

  let address = "";
  async function draw() {
    const page = model.get("page");
    if (!page.answers || page.answers === question) {
      clearTimeout(timer);
      root.classList.remove("waiting");
    }
    root.dataset.state = page.state;
    body.hidden = page.state === "missing";
    kind.textContent = page.state === "missing" ? "Nothing to browse" : page.kind;
    kind.classList.toggle("simulated", Boolean(page.simulated));
    title.textContent = page.state === "missing" ? page.words : page.title;
    notes.textContent = (page.notes || []).join(" ");
    if (page.state === "missing") return;
    options(page);
    summary.textContent = page.state === "empty" ? `No picture fits: ${page.summary}` : page.summary;
    trouble.textContent = page.trouble || "";
    const focused = lower.contains(document.activeElement) ? document.activeElement : null;
    ofPicture(page);
    lower.replaceChildren();
    confusion(page);
    if (page.state === "picture") everyone(page);
    if (focused) {
      // the button that was pressed is drawn anew
      const same = lower.querySelector(`[data-cell="${focused.dataset.cell}"]`);
      (same || root).focus({ preventScroll: true });
    }
    left.hidden = page.state !== "picture";
    at.value = page.place;
    at.max = page.count;
    of.textContent = `of ${page.count}`;
    back.disabled = page.place <= 1;
    next.disabled = page.place >= page.count;
    if (page.state === "picture") {
      const old = address;
      address = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/png" }));
      picture.src = address;
      picture.alt = page.alt;
      if (old) URL.revokeObjectURL(old);
      await picture.decode().catch(() => {});
      if (page !== model.get("page")) return; // another one came meanwhile
      const times = Math.max(1, Math.floor(SIDE / Math.max(picture.naturalWidth, 1)));
      picture.style.width = `${picture.naturalWidth * times}px`;
      const size = `${picture.naturalWidth} × ${picture.naturalHeight} px, as the walk stores it`;
      caption.textContent = times > 1 ? `${size}; enlarged ${times} times.` : `${size}.`;
    }
    root.dataset.picture = page.id || "";
    root.dataset.place = page.place;
  }

  model.on("change:page", draw);
  draw();
  return () => {
    model.off("change:page", draw);
    clearTimeout(timer);
    if (address) URL.revokeObjectURL(address);
  };
}

export default { render };
