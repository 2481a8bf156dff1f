"use strict";
for (const tools of document.querySelectorAll("[data-tools]")) tools.hidden = false;
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text instead";
    }
    setTimeout(() => { button.textContent = before; }, 2000);
  });
}
const filter = document.querySelector("[data-filter]");
const matrix = document.querySelector("table.matrix");
if (filter && matrix) filter.addEventListener("change", () => matrix.classList.toggle("trouble", filter.checked));
for (const button of document.querySelectorAll("[data-open], [data-close]")) {
  button.addEventListener("click", () => {
    for (const one of document.querySelectorAll(button.dataset.open || button.dataset.close)) one.open = "open" in button.dataset;
  });
}
