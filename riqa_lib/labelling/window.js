// The browser's half of window.py. What is typed belongs to the picture that is on the screen:
// every press carries its turn and id, a key held is one press, and nothing counts before the
// next picture is seen. Names are only ever put in as text.

const SOONEST = 250; // ms that a picture is on the screen before a key counts: nobody judges faster
const PATIENCE = 5000; // ms without an answer of the kernel before the window says so

const CSS = `
.riqa-label { font-family: sans-serif; max-width: 100%; }
.riqa-label > * { margin: 4px 0; }
.riqa-label .picture { display: block; max-width: 100%; max-height: 65vh; cursor: zoom-in; }
.riqa-label .whole { max-width: none; max-height: none; image-rendering: pixelated; cursor: auto; }
.riqa-label .detail { display: block; cursor: zoom-out; }
.riqa-label .told { min-height: 1.4em; font-weight: bold; }
.riqa-label button { margin-right: 4px; padding: 4px 10px; }
.riqa-label input { width: 22em; }
.riqa-label input:focus { outline: 2px solid #1a73e8; }
.riqa-label.waiting .picture { opacity: 0.4; }
[hidden] { display: none !important; }
`;

function make(parent, tag, name, text = "") {
  const node = document.createElement(tag);
  node.className = name;
  node.textContent = text;
  parent.append(node);
  return node;
}

function show(img, view, type) {
  if (img.src) URL.revokeObjectURL(img.src);
  img.src = URL.createObjectURL(new Blob([view], { type }));
  return img.decode();
}

// The key as the window knows it, or null. Figures are also known by their place, for keyboards
// that need Shift for them, and for input methods.
function known(event, keys) {
  const key = event.key.toLowerCase();
  if (keys.has(key)) return key;
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  return digit && !event.shiftKey && keys.has(digit[1]) ? digit[1] : null;
}

function render({ model, el }) {
  const root = make(el, "div", "riqa-label");
  make(root, "style", "", CSS);
  const words = make(root, "div", "words");
  const row = make(root, "div", "row");
  row.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's own keys: b inserts a cell
  const typing = make(root, "div", "typing");
  const field = make(typing, "input", "field");
  const bar = make(typing, "progress", "bar");
  const told = make(root, "div", "told");
  const scale = make(root, "div", "scale");
  const picture = make(root, "img", "picture");
  const detail = make(root, "img", "detail"); // a part at 100 %, in the picture's place
  field.setAttribute("aria-label", "keys");
  field.autocomplete = "off";

  const keys = new Map(); // key -> what is sent
  for (const { press, label } of model.get("buttons")) {
    press.forEach((key) => keys.set(key, press[0]));
    const button = make(row, "button", "", label);
    button.dataset.press = press[0];
    button.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps focus
    button.addEventListener("click", (event) => {
      field.focus({ preventScroll: true });
      if (event.detail < 2) press1(press[0]); // a double click is one
    });
  }

  let live = null; // the turn that can be answered: its picture is on the screen
  let since = 0; // when it came there
  let mine = true; // the last press came from this view
  let timer = null;
  let early = ""; // said beside the next picture
  const held = new Set();

  function press1(key) {
    const page = model.get("page");
    if (live !== page.turn || performance.now() - since < SOONEST) {
      early = `"${key}" came before this picture was seen: it was not stored. Press it again.`;
      told.textContent = early;
      return;
    }
    live = null;
    mine = true;
    early = told.textContent = "";
    root.classList.add("waiting");
    model.send({ turn: page.turn, id: page.id, key });
    timer = setTimeout(() => {
      told.textContent =
        `No answer to "${key}" yet: the kernel is busy, or has stopped. If it has stopped, run ` +
        "the notebook again; it goes on after the last grade that is on the disk.";
    }, PATIENCE);
  }

  root.addEventListener("keydown", (event) => {
    if (!event.key || event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target !== field && ["Enter", " "].includes(event.key);
    if (onButton && !event.repeat) return; // the browser makes it a click
    const look = event.key === " " && !onButton;
    const key = known(event, keys);
    if (!(key || look || onButton || event.key.length === 1)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.repeat || held.has(event.code)) return; // a key held is one press
    held.add(event.code);
    if (look) lookAt(0.5, 0.5);
    else if (key) press1(keys.get(key));
  });
  root.addEventListener("keyup", (event) => held.delete(event.code));
  root.addEventListener("focusout", (event) => {
    if (!root.contains(event.relatedTarget)) held.clear();
    hint();
  });
  field.addEventListener("input", () => (field.value = ""));
  field.addEventListener("focus", () => hint());
  function hint() {
    const here = document.activeElement === field;
    field.placeholder = here ? "type keys: the field listens" : "click here to type keys";
  }

  // A part of the original in the picture's place, and back
  function lookAt(x, y) {
    const page = model.get("page");
    if (live !== page.turn || page.state !== "picture") return;
    if (detail.hidden) model.send({ turn: page.turn, look: [x, y] });
    else showWhole();
  }
  function showWhole() {
    detail.hidden = true;
    picture.hidden = false;
    sayScale();
  }
  async function drawDetail(message, [view]) {
    if (message.look !== live) return;
    await show(detail, view, "image/png").catch(() => {});
    if (message.look !== live) return;
    picture.hidden = true;
    detail.hidden = false;
    detail.style.width = `${detail.naturalWidth / window.devicePixelRatio}px`;
    scale.textContent =
      "A part of the original at 100 %: one pixel of the file, one of the screen. Click, or space, " +
      "for the whole.";
  }
  detail.addEventListener("click", () => {
    field.focus({ preventScroll: true });
    showWhole();
  });
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    field.focus({ preventScroll: true });
    lookAt((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  });

  // At what scale the picture is seen, in pixels of the screen per pixel of the file
  function sayScale() {
    const page = model.get("page");
    scale.hidden = page.state !== "picture";
    if (scale.hidden || !picture.clientWidth) return;
    const percent = (100 * picture.clientWidth * window.devicePixelRatio) / page.width;
    const size = `${page.width} × ${page.height} px, shown at ${percent.toFixed(0)} %`;
    const sent = page.sent < 1 ? ` (sent at ${(100 * page.sent).toFixed(0)} %, as JPEG)` : "";
    const reduced = percent < 99.5 || page.sent < 1;
    scale.textContent = reduced
      ? `${size}: reduced${sent}. Judge sharpness and noise at 100 %: click on the picture ` +
        "(space: its middle)."
      : percent > 100.5
        ? `${size}: enlarged.`
        : `${size}.`;
  }
  const watch = new ResizeObserver(sayScale);
  watch.observe(picture);

  async function draw() {
    const page = model.get("page");
    const fresh = live === null && since === 0;
    live = null;
    clearTimeout(timer);
    words.textContent = page.words;
    told.textContent = page.trouble || early;
    bar.max = Math.max(1, page.all);
    bar.value = page.done;
    for (const button of row.children) button.disabled = !page.can.includes(button.dataset.press);
    picture.hidden = page.state !== "picture";
    detail.hidden = true;
    if (!picture.hidden) {
      picture.classList.toggle("whole", page.enlarged > 1);
      picture.style.width = page.enlarged > 1 ? `${page.width * page.enlarged}px` : "";
      try {
        await show(picture, model.get("picture"), page.type);
      } catch {
        told.textContent = "The browser could not show this picture: skip it.";
      }
    }
    await new Promise((done) => requestAnimationFrame(done)); // not while the page is hidden
    if (page !== model.get("page")) return; // another one came meanwhile
    sayScale();
    root.classList.remove("waiting");
    since = performance.now();
    live = page.turn;
    root.dataset.turn = page.turn;
    root.dataset.picture = page.id;
    const active = document.activeElement;
    const free = fresh
      ? !active || !active.matches(":read-write") // not away from a cell that is being written
      : mine && (!active || active === document.body || root.contains(active));
    if (free) field.focus({ preventScroll: true });
    mine = fresh || mine;
    hint();
  }

  model.on("change:page", draw);
  model.on("msg:custom", drawDetail);
  draw();
  return () => {
    model.off("change:page", draw);
    model.off("msg:custom", drawDetail);
    watch.disconnect();
    clearTimeout(timer);
  };
}

export default { render };
