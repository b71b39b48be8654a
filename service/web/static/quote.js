// Words marked in a comment become its quote. Without script the quote is typed or pasted.
document.addEventListener("mouseup", take);
document.addEventListener("keyup", (event) => {
  if (event.shiftKey || event.key === "Shift") take();
});

function take() {
  const selection = document.getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return;
  const range = selection.getRangeAt(0).cloneRange();
  const card = range.startContainer.parentElement?.closest("[data-words]");
  if (!card) return;
  // A triple click reaches into what stands below the comment.
  if (!card.contains(range.endContainer)) range.setEndAfter(card.lastChild);
  const words = range.toString().trim().replace(/\s+/g, " ");
  const quote = card.closest("article").querySelector("[data-quote]");
  if (words && quote) quote.value = words;
}
