"use strict";

// "/" leads to the search of the header, unless somebody is typing.
document.addEventListener("keydown", (event) => {
  const field = document.querySelector("#find input");
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || typing || !field) {
    return;
  }
  event.preventDefault();
  field.focus();
  field.select();
});
