"use strict";

// A form with data-passkey="get" or "create" asks the browser for a passkey before it is sent. The options come from the
// element that data-options names, or from the address in data-options-from. Where the browser has no passkeys, forms
// that begin hidden stay so.

const REASONS = {
  NotAllowedError: "Nothing was chosen, or it took too long. Please try again.",
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "The browser does not allow passkeys on this address.",
};

async function optionsOf(form) {
  if (form.dataset.options) return JSON.parse(document.getElementById(form.dataset.options).textContent);
  const response = await fetch(form.dataset.optionsFrom, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error("The portal does not answer. Please try again.");
  return response.json();
}

async function ask(form) {
  const options = await optionsOf(form);
  const made = form.dataset.passkey === "create"
    ? await webauthnJSON.create(options.creation_options)
    : await webauthnJSON.get(options.request_options);
  form.elements.credential.value = JSON.stringify(made);
  form.submit();
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const problem = form.querySelector("[role=alert]");
    problem.hidden = true;
    ask(form).catch((error) => {
      problem.textContent = REASONS[error.name] || error.message;
      problem.hidden = false;
    });
  });
}
