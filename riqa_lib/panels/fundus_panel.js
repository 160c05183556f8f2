// The browser's half of fundus_panel.py. One question is on its way at a time; what was moved
// meanwhile is asked next, as it is then. Names are only ever put in as text.

const CSS = `
.riqa-fundus { font-family: sans-serif; max-width: 1080px; padding: 4px; line-height: 1.35; }
.riqa-fundus:focus { outline: 2px solid #1a73e8; }
.riqa-fundus .kind { font-weight: bold; padding: 3px 8px; border-left: 6px solid #D55E00; }
.riqa-fundus .lines { font-size: 85%; opacity: 0.85; margin: 4px 0; }
.riqa-fundus .main { display: flex; flex-wrap: wrap; gap: 18px; align-items: flex-start; }
.riqa-fundus .picture { width: 420px; max-width: 100%; display: block; }
.riqa-fundus .caption, .riqa-fundus .help { font-size: 85%; opacity: 0.8; margin: 3px 0; }
.riqa-fundus .right { flex: 1 1 460px; min-width: 0; overflow-wrap: anywhere; }
.riqa-fundus .menus { display: flex; flex-wrap: wrap; gap: 6px 14px; margin: 6px 0;
  align-items: flex-end; }
.riqa-fundus .menus label { display: inline-flex; flex-direction: column; font-size: 85%; }
.riqa-fundus select, .riqa-fundus button, .riqa-fundus input { font: inherit; }
.riqa-fundus input[type="number"] { width: 6em; }
.riqa-fundus .sliders { display: grid; grid-template-columns: auto 1fr 3em; gap: 4px 10px;
  align-items: center; max-width: 420px; margin: 8px 0; }
.riqa-fundus .sliders input { width: 100%; }
.riqa-fundus table { border-collapse: collapse; margin: 6px 0 10px; font-size: 92%; }
.riqa-fundus th, .riqa-fundus td { padding: 2px 8px; text-align: left; font-weight: normal; }
.riqa-fundus thead th { border-bottom: 1px solid currentColor; font-weight: bold; }
.riqa-fundus td.bar { min-width: 120px; white-space: nowrap; }
.riqa-fundus td.bar span { display: inline-block; height: 0.8em; margin-right: 5px; }
.riqa-fundus .teacher span { background: #CC79A7; }
.riqa-fundus .student span { background: #0072B2; }
.riqa-fundus .bad { font-weight: bold; }
.riqa-fundus .grade { font-weight: bold; font-size: 110%; margin: 6px 0; }
.riqa-fundus .advice { margin: 4px 0; padding-left: 1.3em; }
.riqa-fundus .advice .why { font-size: 85%; opacity: 0.8; }
.riqa-fundus .trouble { color: #b00020; font-weight: bold; min-height: 1.2em; }
.riqa-fundus.waiting .answers { opacity: 0.45; }
.riqa-fundus [hidden] { display: none !important; }
`;

const PATIENCE = 8000; // ms without an answer of the kernel before the panel says so

function make(parent, tag, name = "", text = "") {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== "") node.textContent = text;
  parent.append(node);
  return node;
}

function labelled(parent, text, tag, name) {
  return make(make(parent, "label", "", text), tag, name);
}

function table(parent, head) {
  const whole = make(parent, "table");
  const row = make(make(whole, "thead"), "tr");
  for (const text of head) make(row, "th", "", text).scope = "col";
  return make(whole, "tbody");
}

function bar(row, name, share, call) {
  const cell = make(row, "td", `bar ${name}`);
  if (share === null || share === undefined) {
    cell.textContent = "–";
    return;
  }
  make(cell, "span").style.width = `${Math.round(80 * share)}px`;
  cell.append(call ? `${share.toFixed(2)} ${call}` : share.toFixed(2));
  cell.classList.toggle("bad", call === "bad");
}

function render({ model, el }) {
  const root = make(el, "div", "riqa-fundus");
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "a simulated eye, judged by Teacher and Student");
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's own keys
  make(root, "style", "", CSS);
  const kind = make(root, "div", "kind");
  const lines = make(root, "div", "lines");
  const body = make(root, "div", "body");
  const trouble = make(body, "div", "trouble");
  trouble.setAttribute("role", "alert");
  const main = make(body, "div", "main");
  const left = make(main, "div", "left");
  const picture = make(left, "img", "picture");
  const caption = make(left, "div", "caption");
  const right = make(main, "div", "right");
  const reach = model.get("controls");

  // ---------------------------------------------------------------- what is moved
  const sliders = {};
  const grid = make(right, "div", "sliders");
  for (const [k, [cause, most]] of reach.sliders.entries()) {
    const label = make(grid, "label", "", `${k + 1}  ${cause}`);
    const slider = make(grid, "input", cause);
    const value = make(grid, "output", "value");
    slider.type = "range";
    slider.min = 0;
    slider.max = most;
    slider.step = reach.step;
    label.htmlFor = slider.id = `riqa-${Math.random().toString(36).slice(2)}`;
    sliders[cause] = { slider, value };
    slider.addEventListener("input", ask);
  }
  const menus = make(right, "div", "menus");
  const eye = labelled(menus, "eye", "input", "eye");
  const seed = labelled(menus, "seed (camera, place of defects)", "input", "seed");
  for (const input of [eye, seed]) {
    input.type = "number";
    input.min = 0;
    input.max = reach.largest;
    input.addEventListener("change", ask);
  }
  const style = labelled(menus, "camera", "select", "style");
  const view = labelled(menus, "centred on", "select", "view");
  for (const [menu, offers] of [[style, reach.styles], [view, reach.views]]) {
    for (const [value, text] of offers) make(menu, "option", "", text).value = value;
    menu.addEventListener("change", ask);
  }
  const none = make(menus, "button", "none", "no defects");
  none.addEventListener("click", clear);
  const answers = make(right, "div", "answers");
  answers.setAttribute("aria-live", "polite");
  make(
    body,
    "div",
    "help",
    "Keys, once you have clicked on the panel: 1 to 4 choose a slider, ← → move it, Home and End " +
      "to its ends; e and E next and previous eye, s and S next and previous seed, 0 no defects.",
  );

  function whole(input) {
    const number = Math.round(Number(input.value) || 0);
    return Math.min(Math.max(number, 0), reach.largest);
  }
  function asked() {
    const severity = {};
    for (const [cause, { slider }] of Object.entries(sliders)) severity[cause] = Number(slider.value);
    return {
      eye: whole(eye),
      seed: whole(seed),
      style: style.value,
      view: view.value,
      severity,
    };
  }
  function values() {
    for (const { slider, value } of Object.values(sliders)) {
      value.textContent = Number(slider.value).toFixed(2);
    }
  }

  // ---------------------------------------------------------------- one question at a time
  let question = 0; // the one on its way, or the last
  let waiting = false;
  let again = false; // something was moved since
  let timer = null;
  function ask() {
    values();
    if (waiting) {
      again = true;
      return;
    }
    again = false;
    waiting = true;
    question += 1;
    root.classList.add("waiting");
    timer = setTimeout(() => {
      trouble.textContent = "No answer yet: the kernel is busy, or has stopped.";
    }, PATIENCE);
    model.send({ question, scene: asked() });
  }
  function clear() {
    for (const { slider } of Object.values(sliders)) slider.value = 0;
    ask();
  }
  function by(input, step) {
    input.value = Math.min(Math.max(whole(input) + step, 0), reach.largest);
    ask();
  }

  const does = {
    e: () => by(eye, 1),
    E: () => by(eye, -1),
    s: () => by(seed, 1),
    S: () => by(seed, -1),
    0: clear,
  };
  for (const [k, { slider }] of Object.values(sliders).entries()) {
    does[k + 1] = () => slider.focus({ preventScroll: true });
  }
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // a key that JupyterLab sees makes it focus one of its cells
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      root.focus({ preventScroll: true });
      return;
    }
    const typed = event.target.tagName === "SELECT" || event.target.type === "number";
    if (typed || !does[event.key]) return;
    event.preventDefault();
    does[event.key]();
  });
  root.addEventListener("click", (event) => {
    if (!event.target.closest("button, select, input, label")) root.focus({ preventScroll: true });
  });

  // ---------------------------------------------------------------- what is shown
  function controls(page) {
    for (const [cause, { slider }] of Object.entries(sliders)) slider.value = page.severity[cause];
    eye.value = page.eye;
    seed.value = page.seed;
    style.value = page.style;
    view.value = page.view;
    values();
  }
  function judged(page) {
    answers.replaceChildren();
    const head = ["", "severity", "what it is", "in truth", "Teacher: good?", "Student: good?"];
    const rows = table(answers, head);
    for (const one of page.details) {
      const row = make(rows, "tr");
      make(row, "th", "", one.cause).scope = "row";
      make(row, "td", "", one.severity.toFixed(2));
      make(row, "td", "", one.kinds || "–");
      make(row, "td", one.truth, one.truth || "no detail");
      bar(row, "teacher", one.teacher, one.teacher_call);
      bar(row, "student", one.student, one.student_call);
    }
    if (page.note) make(answers, "div", "caption", page.note);
    make(answers, "div", "grade", page.grade);
    if (page.overall.length) {
      const overall = table(answers, ["overall", "Student", ""]);
      for (const [word, p] of page.overall) {
        const row = make(overall, "tr");
        make(row, "th", "", word).scope = "row";
        bar(row, "student", p, "");
        make(row, "td", "", word === page.true_grade ? "← in truth" : "");
      }
    }
    if (page.advice.length) {
      make(answers, "b", "", "Advice");
      const list = make(answers, "ul", "advice");
      for (const [say, why] of page.advice) {
        const line = make(list, "li", "", say);
        make(line, "div", "why", why);
      }
    }
  }

  let address = "";
  async function draw() {
    const page = model.get("page");
    root.dataset.state = page.state;
    body.hidden = page.state === "missing";
    if (page.state === "missing") {
      kind.textContent = "Nobody to ask";
      lines.textContent = page.words;
      return;
    }
    const mine = page.answers === question || !page.answers; // else another view asked
    if (mine) {
      waiting = false;
      clearTimeout(timer);
      root.classList.remove("waiting");
    }
    kind.textContent = page.kind;
    lines.replaceChildren();
    for (const line of page.lines) make(lines, "div", "", line);
    trouble.textContent = page.trouble;
    if (!again) controls(page);
    judged(page);
    caption.textContent = `Simulated: ${page.camera}.`;
    const old = address;
    address = URL.createObjectURL(new Blob([model.get("picture")], { type: "image/png" }));
    picture.src = address;
    picture.alt = page.alt;
    if (old) URL.revokeObjectURL(old);
    await picture.decode().catch(() => {});
    if (page !== model.get("page")) return; // another one came meanwhile
    root.dataset.answers = page.answers;
    if (again && !waiting) ask();
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
