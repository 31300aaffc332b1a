// What the pages of the admin need beside Django's own scripts: filters that close, names for what select2 makes of
// fields, and headings for the cells of a list that a narrow window shows as cards.
"use strict";

const filters = [...document.querySelectorAll("details.filter")];

function closeFilters(except) {
  filters.filter(it => it !== except).forEach(it => it.open = false);
}

document.addEventListener("click", event => closeFilters(event.target.closest("details.filter")));
document.addEventListener("keydown", event => {
  const open = event.target.closest("details.filter[open]");
  if (event.key === "Escape" && open) {
    closeFilters();
    open.querySelector("summary").focus();
  }
});

for (const find of document.querySelectorAll(".filter-choices input")) {
  const choices = [...find.parentNode.querySelectorAll("li")];
  find.hidden = false;
  find.addEventListener("input", () => {
    const text = find.value.trim().toLowerCase();
    choices.forEach(it => it.hidden = !it.textContent.toLowerCase().includes(text));
  });
}

const headings = [...document.querySelectorAll("#result_list thead th")].map(it => it.textContent.trim());

for (const row of document.querySelectorAll("#result_list tbody tr")) {
  [...row.cells].forEach((cell, place) => {
    cell.dataset.heading = headings[place] || "";
    cell.classList.toggle("nothing", cell.textContent.trim() === "—");
  });
}

// select2 puts a box of its own in place of a field, which knows nothing of the field's label
function nameBoxes(root) {
  for (const field of root.querySelectorAll("select.admin-autocomplete")) {
    const box = field.nextElementSibling?.querySelector(".select2-selection");
    const shown = box?.querySelector(".select2-selection__rendered");
    if (!shown) continue;
    const label = field.labels[0];
    if (label) {
      label.id ||= `${field.id}_label`;
      box.setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
      shown.setAttribute("aria-labelledby", label.id);
    } else {
      const name = field.getAttribute("aria-label");
      box.setAttribute("aria-label", name);
      shown.setAttribute("aria-label", name);
    }
  }
}

// After Django's own scripts, which wait for jQuery, and jQuery waits longer than the page does
window.addEventListener("load", () => window.django?.jQuery?.(() => {
  nameBoxes(document);
  document.querySelectorAll(".search-label-icon").forEach(it => it.setAttribute("role", "img"));
}));
document.addEventListener("formset:added", event => nameBoxes(event.target));
document.addEventListener("focusin", event => {
  if (event.target.matches(".select2-search__field")) event.target.setAttribute("aria-label", "Find");
});
