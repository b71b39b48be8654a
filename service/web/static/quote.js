// Words selected in a comment, by mouse, finger or keyboard, become its quote. Without script it is typed or pasted.
function takeSelection() {
  const selection = document.getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return;
  const range = selection.getRangeAt(0).cloneRange();
  const start = range.startContainer;
  const card = (start.nodeType === Node.ELEMENT_NODE ? start : start.parentElement)?.closest("[data-words]");
  if (!card) return;
  // A triple click reaches into what stands below the comment.
  if (!card.contains(range.endContainer)) range.setEndAfter(card.lastChild);
  const words = range.toString().trim().replace(/\s+/g, " ");
  const quote = card.closest("article").querySelector("[data-quote]");
  if (words && quote) quote.value = words;
}
document.addEventListener("selectionchange", takeSelection);
// Words may have been selected before this script was there to see it.
takeSelection();
