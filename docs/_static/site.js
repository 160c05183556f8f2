// A figure opens in its full size, in this tab: one goes back with the browser's own button.
document.addEventListener("click", (event) => {
  const picture = event.target;
  if (picture.tagName === "IMG" && picture.closest(".bd-content") && !picture.closest("a")) {
    window.location.href = picture.src;
  }
});
