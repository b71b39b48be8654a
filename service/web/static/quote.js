// Words marked in a comment become its quote. Without script the quote is typed or pasted.
document.addEventListener("mouseup", take);
document.addEventListener("keyup", (event) => {
  if (event.shiftKey || event.key === "Shift") take();
});

function take() {
  const selection = document.getSelection();
  const words = selection.toString().trim();
  if (!words || !selection.anchorNode) return;
  const card = selection.anchorNode.parentElement?.closest("[data-words]");
  if (!card || !card.contains(selection.focusNode)) return;
  const quote = card.closest("article").querySelector("[data-quote]");
  if (quote) quote.value = words.replace(/\s+/g, " ");
}
