// Cards in another order. Without this script they stand in the order of the command.
const cards = document.querySelector(".cards");
const chosen = document.querySelector("#order");
if (cards && chosen) {
  const all = [...cards.children];
  const last = { score: Infinity, best: -Infinity };
  const key = (card, by) => card.dataset[by === "best" ? "score" : by];
  const orders = {
    found: () => 0,
    score: (a, b) => number(a, "score") - number(b, "score"),
    best: (a, b) => number(b, "best") - number(a, "best"),
    file: words("file"),
    patient: words("patient"),
    taken: words("taken"),
  };
  function number(card, by) {
    const said = key(card, by);
    return said === "" ? last[by] : Number(said);
  }
  function words(by) {
    return (a, b) =>
      (key(a, by) === "") - (key(b, by) === "") ||
      key(a, by).localeCompare(key(b, by), "en", { numeric: true });
  }
  chosen.addEventListener("change", () => cards.append(...[...all].sort(orders[chosen.value])));
  document.querySelector(".sorting").hidden = false;
}
