// A figure opens in its full size, in this tab: one goes back with the browser's own button.
document.addEventListener("click", (event) => {
  const picture = event.target;
  if (picture.tagName === "IMG" && picture.closest(".bd-content") && !picture.closest("a")) {
    window.location.href = picture.src;
  }
});

// "0.36 [0.33, 0.38]" may break before its interval and not inside.
document.addEventListener("DOMContentLoaded", () => {
  for (const cell of document.querySelectorAll(".cell_output td")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      const found = /\[[^\]]*\d[^\]]*\]/.exec(text.data);
      if (!found || text.parentNode.tagName === "CODE") continue;
      const interval = document.createElement("span");
      interval.className = "interval";
      const rest = text.splitText(found.index);
      rest.splitText(found[0].length);
      rest.replaceWith(interval);
      interval.append(rest);
    }
  }
});
